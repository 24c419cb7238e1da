import type { Command } from 'commander';
import type { CreateContainer } from '../../api/types.js';
import { EXPOSE_FORM, parseExposed } from '../../model/expose.js';
import { parsePortSpec, requireCarried } from '../../model/port-spec.js';
import { collect, readEach } from '../values.js';

/** Which of the container's ports others may reach, or know of. */
export interface PortOptions {
  readonly publish?: readonly string[];
  readonly expose?: readonly string[];
}

/** Of a value of `-p`. */
const PORT_FORM = '[[ADDRESS:]PORT:]CONTAINER-PORT[/udp]';

export function addPortOptions(command: Command): Command {
  return command
    .option('-p, --publish <port>', `publish a port: ${PORT_FORM}`, collect)
    .option(
      '--expose <port>',
      `tell links of a port: ${EXPOSE_FORM}; none: not of those that are seen to be listened on either`,
      collect,
    );
}

type PortPart = Pick<CreateContainer, 'ports' | 'exposed' | 'exposeSeen'>;

/** @throws UnetError INVALID */
export function readPortOptions({ publish = [], expose = [] }: PortOptions): PortPart {
  const requests = readEach(publish, parsePortSpec, `-p ${PORT_FORM}, ports 1 to 65535`).flat();
  requireCarried(requests);
  const { ports, seen } = parseExposed(expose);
  return {
    ports: requests.map((request) => ({ ...request })),
    exposed: ports.map((port) => ({ ...port })),
    exposeSeen: seen,
  };
}
