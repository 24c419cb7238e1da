import { UnetError } from './errors.js';
import type { ExposedPort } from './exposed-port.js';

/** Of a value of `--expose`. */
export const EXPOSE_FORM = 'PORT[-PORT][/PROTO]|none';
/** As many as the daemon takes of one container. */
export const MAX_EXPOSED_PORTS = 8192;

const MAX_PORT = 65535;
/** Which protocols there are is not checked, as in Docker; what stands here only has to fit a variable's name. */
const PROTOCOL = /^[a-z0-9]{1,16}$/;

/** What all `--expose` of a command line say together. */
export interface Exposure {
  readonly ports: readonly ExposedPort[];
  /** Whether ports on which the container is seen listening count where none is declared: false after `none`. */
  readonly seen: boolean;
}

/**
 * Reads the values of `--expose`: `5432`, `8080-8082/tcp`, `53/udp`, `none`. Equal ports are one.
 *
 * @throws UnetError INVALID
 */
export function parseExposed(values: readonly string[]): Exposure {
  const ports = new Map<string, ExposedPort>();
  for (const value of values) {
    if (value === 'none') continue;
    for (const port of parseExpose(value)) ports.set(`${port.port}/${port.protocol}`, port);
    if (ports.size > MAX_EXPOSED_PORTS) {
      throw invalid(`too many exposed ports: --expose takes ${MAX_EXPOSED_PORTS} in all`);
    }
  }
  return { ports: [...ports.values()], seen: !values.includes('none') };
}

function parseExpose(text: string): ExposedPort[] {
  if (text.includes(':'))
    throw invalid(`invalid port format for --expose: ${text}; give ${EXPOSE_FORM}, as in 5432/tcp`);
  const slash = text.indexOf('/');
  const range = slash < 0 ? text : text.slice(0, slash);
  const protocol = (slash < 0 ? '' : text.slice(slash + 1)).toLowerCase() || 'tcp';
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= 1 && from <= to && to <= MAX_PORT)) {
    throw invalid(`invalid range format for --expose: ${text}; give ${EXPOSE_FORM}, ports 1 to ${MAX_PORT}`);
  }
  if (!PROTOCOL.test(protocol)) throw invalid(`invalid proto: ${protocol}; give --expose ${EXPOSE_FORM}`);
  return Array.from({ length: to - from + 1 }, (_, offset) => ({ port: from + offset, protocol }));
}

function invalid(message: string): UnetError {
  return new UnetError('INVALID', message);
}
