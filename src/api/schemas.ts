import * as v from 'valibot';
import { isConfigWord } from '../model/config-word.js';
import { MAX_DELAY_US, MAX_RATE_BITS } from '../model/fault-spec.js';
import { MAX_HOST_ACCESS_PORTS } from '../model/host-access.js';
import { isHostname, MAX_MTU, MIN_MTU } from '../model/limits.js';

/**
 * What the daemon accepts. The socket is the user's own, yet whatever comes out of it is checked as if it were not: sizes,
 * ranges, and no NUL byte or line break where a file or an argv would be built from it.
 */
const MAX_ARGUMENTS = 65_536;
const MAX_PORTS = 8192;
const MAX_ENV = 4096;
const MAX_PATH = 4096;
/** Lines of one kind in a container's files: more is no configuration any more. */
const MAX_LINES = 1024;
/** An hour, as for a stop. */
const MAX_LINK_WAIT_SECONDS = 3600;
/** What a DNS name may hold. */
const MAX_DNS_NAME = 253;
/** An hour: longer than anybody waits at a terminal. */
export const MAX_STOP_SECONDS = 3600;

const noNul = v.check((text: string) => !text.includes('\0'), 'must not contain a NUL byte');
const text = (max: number) => v.pipe(v.string(), v.maxLength(max), noNul);
const port = (min: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(65_535));

const upTo = (max: number) => v.pipe(v.number(), v.minValue(0), v.maxValue(max));
/** The engine counts these in ones and drops the rest: of a rate below one nothing would be left, and that means no limit. */
const wholeUpTo = (max: number) => v.pipe(upTo(max), v.integer());

/** What one direction of a link does to frames. */
export const faultSchema = v.pipe(
  v.strictObject({
    loss: upTo(1),
    duplicate: upTo(1),
    reorder: upTo(1),
    delayUs: wholeUpTo(MAX_DELAY_US),
    jitterUs: wholeUpTo(MAX_DELAY_US),
    rateBits: wholeUpTo(MAX_RATE_BITS),
  }),
  v.check(({ delayUs, jitterUs }) => jitterUs <= delayUs, 'must not have more jitter than delay'),
);
export const faultsSchema = v.strictObject({ egress: v.nullable(faultSchema), ingress: v.nullable(faultSchema) });

const portRequest = v.strictObject({
  hostAddress: v.nullable(v.pipe(v.string(), v.ip())),
  hostPort: v.nullable(
    v.pipe(
      v.strictObject({ from: port(1), to: port(1) }),
      v.check(({ from, to }) => from <= to, 'must not end before it begins'),
    ),
  ),
  containerPort: port(1),
  protocol: v.picklist(['tcp', 'udp', 'sctp']),
});

const configWord = (max: number) =>
  v.pipe(text(max), v.check(isConfigWord, 'must be one word, without spaces, control and comment characters'));
const lines = <T extends v.GenericSchema>(line: T) => v.pipe(v.array(line), v.maxLength(MAX_LINES));

function isEnvironment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const isText = (text: unknown) => typeof text === 'string' && !text.includes('\0');
  return Object.entries(value).every(([key, text]) => key !== '' && isText(key) && isText(text));
}

/** `--link TARGET:ALIAS`, the target as it was typed. */
const linkRequest = v.strictObject({ target: configWord(256), alias: configWord(MAX_DNS_NAME) });

const exposedPort = v.strictObject({ port: port(1), protocol: v.pipe(v.string(), v.regex(/^[a-z0-9]{1,16}$/)) });

/** Null: the daemon's, else the host's; a list, an empty one too, replaces it whole. */
export const dnsSchema = v.strictObject({
  servers: v.nullable(lines(v.pipe(v.string(), v.ip()))),
  search: v.nullable(lines(configWord(MAX_DNS_NAME))),
  options: v.nullable(lines(configWord(256))),
});

export const createContainerSchema = v.strictObject({
  name: v.nullable(text(256)),
  argv: v.pipe(
    v.array(v.pipe(v.string(), noNul)),
    v.minLength(1, 'must name a command'),
    v.maxLength(MAX_ARGUMENTS),
    v.check((argv) => argv[0] !== '', 'must name a command'),
  ),
  cwd: v.pipe(text(MAX_PATH), v.startsWith('/')),
  /** Only what was given with -e and --env-file: the caller's own environment never comes here. */
  env: v.pipe(
    // Not `v.record`, which leaves out some names (`constructor`) without a word.
    v.custom<Record<string, string>>(isEnvironment, 'must map names to values, text without NUL'),
    v.check((env) => Object.keys(env).length <= MAX_ENV, `must not hold more than ${MAX_ENV} variables`),
  ),
  detach: v.boolean(),
  autoRemove: v.boolean(),
  /** -i: with `detach`, standard input is a pipe that stays open. */
  openStdin: v.boolean(),
  tty: v.boolean(),
  user: v.picklist(['self', 'root']),
  hostname: v.nullable(v.pipe(v.string(), v.check(isHostname, 'is not a valid hostname'))),
  network: v.literal('bridge'),
  ports: v.pipe(v.array(portRequest), v.maxLength(MAX_PORTS)),
  mtu: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(MIN_MTU), v.maxValue(MAX_MTU))),
  hostAccess: v.strictObject({
    all: v.boolean(),
    ports: v.pipe(v.array(port(1)), v.maxLength(MAX_HOST_ACCESS_PORTS)),
  }),
  offload: v.boolean(),
  faults: v.nullable(faultsSchema),
  links: v.optional(lines(linkRequest), []),
  /** Which variables tell of the links: of today, of Docker 1.0 to 1.5, or none. */
  linkEnv: v.optional(v.picklist(['modern', 'legacy', 'none']), 'modern'),
  /** How long a start waits for a linked container's first listener where no port is declared. */
  linkWaitSeconds: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_LINK_WAIT_SECONDS)), 5),
  exposed: v.optional(v.pipe(v.array(exposedPort), v.maxLength(MAX_PORTS)), []),
  /** Whether ports on which it is seen listening count as exposed where none is declared; false: `--expose none`. */
  exposeSeen: v.optional(v.boolean(), true),
  /** Lines of /etc/hosts; `host-gateway` stands for the gateway's address. */
  extraHosts: v.optional(
    lines(
      v.strictObject({
        name: configWord(MAX_DNS_NAME),
        address: v.union([v.literal('host-gateway'), v.pipe(v.string(), v.ip())]),
      }),
    ),
    [],
  ),
  dns: v.optional(dnsSchema, { servers: null, search: null, options: null }),
  networkAliases: v.optional(lines(configWord(MAX_DNS_NAME)), []),
  /** The command starts with next to nothing of its caller's environment. Kept for later starts. */
  cleanEnv: v.optional(v.boolean(), false),
});
/** As a client says it: what may be left out has a default. */
export type CreateContainer = v.InferInput<typeof createContainerSchema>;
/** As the daemon keeps it: every default in its place. */
export type ContainerRequest = v.InferOutput<typeof createContainerSchema>;

const flag = v.optional(
  v.pipe(
    v.picklist(['true', 'false']),
    v.transform((value) => value === 'true'),
  ),
  'false',
);

export const listQuerySchema = v.strictObject({ all: flag });
/** `start=false`: only make it, as `unet create` does. */
export const createQuerySchema = v.strictObject({ start: v.optional(v.picklist(['true', 'false']), 'true') });
export const renameSchema = v.strictObject({ name: text(256) });
export const startSchema = v.strictObject({
  /** The launcher stays in the foreground of whoever asks, and no log is kept. */
  attach: v.optional(v.boolean(), false),
});
export const dnsQuerySchema = v.strictObject({ name: text(MAX_DNS_NAME + 2), type: v.optional(text(16), 'A') });
export const removeQuerySchema = v.strictObject({ force: flag });
export const waitQuerySchema = v.strictObject({
  until: v.picklist(['started', 'ended']),
  /** The caller saw the launcher end: a ticket that it has not redeemed is worth nothing any more. */
  launcherEnded: flag,
  /** Which launcher: that of another start is none of the caller's business. */
  ticket: v.optional(text(256)),
});
export const logsQuerySchema = v.strictObject({
  follow: flag,
  /** Records from the end; absent: all. */
  tail: v.optional(v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number))),
});
export const stopSchema = v.strictObject({
  timeoutSeconds: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_STOP_SECONDS)),
  /** It will be started again at once: `--rm` does not remove it this time. */
  keep: v.optional(v.boolean(), false),
});
/** A direction that is absent stays as it is. */
export const faultChangeSchema = v.partial(faultsSchema);
export const daemonStopSchema = v.strictObject({
  /** Stop the running containers first. */
  all: v.boolean(),
  /** End although containers run: the next daemon takes them back. */
  keepContainers: v.optional(v.boolean(), false),
});
