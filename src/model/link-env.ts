import type { ExposedPort } from './exposed-port.js';

/** `--link-env`: what variables tell a container about those that it links to. */
export type LinkEnvForm = 'modern' | 'legacy' | 'none';

/** One link, as it stands when its parent starts. */
export interface LinkFacts {
  /** Without slash. */
  readonly parent: string;
  readonly alias: string;
  /** The child's IPv4 address. */
  readonly address: string;
  /** The child's own ports, never the host's. */
  readonly exposed: readonly ExposedPort[];
  /** What the child was given with `-e` and `--env-file`, in that order. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Neighbours of one protocol. */
interface Run {
  readonly first: ExposedPort;
  readonly last: ExposedPort;
}

/** Not of the container but of the machine that it runs on. */
const NOT_COPIED = ['HOME', 'PATH'];

/**
 * The variables of one link, in Docker's order. `modern` is what Docker 29 writes: all of tcp before anything else, and neighbours told as
 * a run. `legacy` is Docker 1.0 to 1.5: by number alone, tcp first where two have one, and nothing about runs.
 *
 * Two things of those years are left out on purpose. The prefix of an alias `my-db` is `MY_DB_` here too: 1.0 and 1.1 wrote
 * `MY-DB_`, which no shell can read, and 1.2 to 1.5 as today. And a value that holds an equals sign is copied: losing it was a
 * defect (moby#14606), not a form.
 */
export function linkEnvironment(facts: LinkFacts, form: LinkEnvForm): Record<string, string> {
  if (form === 'none') return {};
  const { parent, alias, address, exposed, environment } = facts;
  const prefix = linkEnvPrefix(alias);
  const ports = distinct(exposed).sort(form === 'modern' ? tcpFirst : lowestFirst);
  const variables: Record<string, string> = {};
  const urlOf = ({ port, protocol }: ExposedPort) => `${protocol}://${address}:${port}`;

  const [first] = ports;
  if (first) variables[`${prefix}_PORT`] = urlOf(first);
  let run: Run | null = null;
  for (const port of ports) {
    const joined: Run | null = joinRun(run, port);
    const key = portKey(prefix, port);
    variables[key] = urlOf(port);
    variables[`${key}_ADDR`] = address;
    variables[`${key}_PORT`] = String(port.port);
    variables[`${key}_PROTO`] = port.protocol;
    // After the port that broke it, as Docker has it.
    if (!joined) tellRun(run);
    run = joined ?? { first: port, last: port };
  }
  tellRun(run);
  variables[`${prefix}_NAME`] = `/${parent}/${alias}`;
  for (const [name, value] of Object.entries(environment)) {
    if (!NOT_COPIED.includes(name)) variables[`${prefix}_ENV_${name}`] = value;
  }
  return variables;

  function tellRun(ended: Run | null): void {
    if (form !== 'modern' || !ended || ended.first === ended.last) return;
    const key = portKey(prefix, ended.first);
    variables[`${key}_START`] = urlOf(ended.first);
    variables[`${key}_PORT_START`] = String(ended.first.port);
    variables[`${key}_END`] = urlOf(ended.last);
    variables[`${key}_PORT_END`] = String(ended.last.port);
  }
}

/** `MY_DB` for `my-db`. Nothing but hyphens is changed: a dot stays. */
export function linkEnvPrefix(alias: string): string {
  return alias.toUpperCase().replaceAll('-', '_');
}

function portKey(prefix: string, { port, protocol }: ExposedPort): string {
  return `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
}

/** The run with this port at its end; null where it begins another. */
function joinRun(run: Run | null, port: ExposedPort): Run | null {
  const joins = run !== null && run.last.protocol === port.protocol && run.last.port + 1 === port.port;
  return joins ? { first: run.first, last: port } : null;
}

function distinct(ports: readonly ExposedPort[]): ExposedPort[] {
  return [...new Map(ports.map((port) => [`${port.port}/${port.protocol}`, port])).values()];
}

function tcpFirst(a: ExposedPort, b: ExposedPort): number {
  return compareProtocol(a, b) || a.port - b.port;
}

function lowestFirst(a: ExposedPort, b: ExposedPort): number {
  return a.port - b.port || compareProtocol(a, b);
}

/** tcp, then by the alphabet. */
function compareProtocol({ protocol: a }: ExposedPort, { protocol: b }: ExposedPort): number {
  if (a === b) return 0;
  if (a === 'tcp' || b === 'tcp') return a === 'tcp' ? -1 : 1;
  return a < b ? -1 : 1;
}
