import type { ContainerRequest } from '../../api/types.js';
import type { ExposedPort } from '../../model/exposed-port.js';

/** What `--expose` and `-p` name, each once, sorted by protocol and number. */
export function declaredPorts({ exposed, ports }: Pick<ContainerRequest, 'exposed' | 'ports'>): ExposedPort[] {
  const published = ports.map(({ containerPort, protocol }) => ({ port: containerPort, protocol }));
  const distinct = new Map([...exposed, ...published].map((port) => [`${port.port}/${port.protocol}`, port]));
  return [...distinct.values()].sort(
    (a, b) => (a.protocol === b.protocol ? 0 : a.protocol < b.protocol ? -1 : 1) || a.port - b.port,
  );
}
