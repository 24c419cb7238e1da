/** The version in every path. It changes when a client of today could misread a daemon of tomorrow. */
export const API_VERSION = 'v1';

/** A request body larger than this is refused. The kernel's own limit of a command line is 2 MiB. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Type of the answers that are a stream of JSON objects, one a line. */
export const NDJSON = 'application/x-ndjson';

const base = `/${API_VERSION}`;

/** Every path of the control API; `ref` is a name, an id or a prefix of an id. */
export const routes = {
  version: `${base}/version`,
  daemon: `${base}/daemon`,
  daemonStop: `${base}/daemon/stop`,
  containers: `${base}/containers`,
  container: (ref: string) => `${base}/containers/${segment(ref)}`,
  containerStart: (ref: string) => `${base}/containers/${segment(ref)}/start`,
  containerRename: (ref: string) => `${base}/containers/${segment(ref)}/rename`,
  containerInspect: (ref: string) => `${base}/containers/${segment(ref)}/inspect`,
  containerDns: (ref: string) => `${base}/containers/${segment(ref)}/dns`,
  containerDnsQuery: (ref: string) => `${base}/containers/${segment(ref)}/dns/query`,
  containerLink: (ref: string, alias: string) => `${base}/containers/${segment(ref)}/links/${segment(alias)}`,
  dns: `${base}/dns`,
  containerStop: (ref: string) => `${base}/containers/${segment(ref)}/stop`,
  containerWait: (ref: string) => `${base}/containers/${segment(ref)}/wait`,
  containerLogs: (ref: string) => `${base}/containers/${segment(ref)}/logs`,
  containerFaults: (ref: string) => `${base}/containers/${segment(ref)}/faults`,
  faultsBetween: (ref: string, peer: string) => `${base}/containers/${segment(ref)}/faults/${segment(peer)}`,
} as const;

/** What the server registers stays as it is. */
const PATTERNS: readonly string[] = [':ref', ':peer', ':alias'];

function segment(ref: string): string {
  return PATTERNS.includes(ref) ? ref : encodeURIComponent(ref);
}
