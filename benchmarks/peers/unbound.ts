import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dnsPeer, LOCAL_ADDRESS, LOCAL_NAME, UPSTREAM_PORT } from './dns-peer.js';
import { onPath } from './on-path.js';
import type { Peer } from './peer.js';

/** unbound (Debian: `unbound`), with one thread as it comes, and without validation: nobody else here validates. */
export function unbound(): Peer | null {
  const program = onPath('UNBOUND', 'unbound');
  if (program === null) return null;
  return dnsPeer({
    name: 'unbound',
    argv: (address, directory) => {
      const file = join(directory, 'unbound.conf');
      writeFileSync(file, configuration(address));
      return [program, '-d', '-c', file];
    },
  });
}

function configuration(address: string): string {
  return `server:
  interface: ${address}
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-ip6: no
  do-not-query-localhost: no
  module-config: "iterator"
  local-data: "${LOCAL_NAME}. 60 IN A ${LOCAL_ADDRESS}"
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${UPSTREAM_PORT}
remote-control:
  control-enable: no
`;
}
