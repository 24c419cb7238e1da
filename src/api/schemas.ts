import * as v from 'valibot';
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
    v.record(v.pipe(v.string(), v.minLength(1), noNul), v.pipe(v.string(), noNul)),
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
});
export type CreateContainer = v.InferOutput<typeof createContainerSchema>;

const flag = v.optional(
  v.pipe(
    v.picklist(['true', 'false']),
    v.transform((value) => value === 'true'),
  ),
  'false',
);

export const listQuerySchema = v.strictObject({ all: flag });
export const removeQuerySchema = v.strictObject({ force: flag });
export const waitQuerySchema = v.strictObject({
  until: v.picklist(['started', 'ended']),
  /** The caller saw the launcher end: a ticket that it has not redeemed is worth nothing any more. */
  launcherEnded: flag,
});
export const logsQuerySchema = v.strictObject({
  follow: flag,
  /** Records from the end; absent: all. */
  tail: v.optional(v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number))),
});
export const stopSchema = v.strictObject({
  timeoutSeconds: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_STOP_SECONDS)),
});
/** A direction that is absent stays as it is. */
export const faultChangeSchema = v.partial(faultsSchema);
export const daemonStopSchema = v.strictObject({
  /** Stop the running containers first. */
  all: v.boolean(),
  /** End although containers run: the next daemon takes them back. */
  keepContainers: v.optional(v.boolean(), false),
});
