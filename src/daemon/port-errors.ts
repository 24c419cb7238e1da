import { messageOf, UnetError } from '../model/errors.js';
import { formatHostPort, type PublishedPort } from '../model/port-list.js';
import { nativeCodeOf } from '../native/index.js';

/**
 * One of our containers has the port. Docker's words, without brackets around IPv6, and whose it is.
 *
 * @param by `by container web`
 */
export function alreadyAllocated({ hostAddress, hostPort }: PublishedPort, by: string): UnetError {
  return new UnetError('CONFLICT', `Bind for ${hostAddress}:${hostPort} failed: port is already allocated (${by})`);
}

/**
 * Why the kernel would not bind, and what to do where that is not plain. Only CONFLICT is about this number: with it another
 * number of a range may do.
 *
 * @param unprivilegedStart reads net.ipv4.ip_unprivileged_port_start
 */
export function bindError(port: PublishedPort, error: unknown, unprivilegedStart: () => number): UnetError {
  const where = `${formatHostPort(port.hostAddress, port.hostPort)}/${port.protocol}`;
  const failed = (code: 'CONFLICT' | 'INVALID' | 'UNAVAILABLE', reason: string) =>
    new UnetError(code, `failed to bind host port ${where}: ${reason}`, { cause: error });
  switch (nativeCodeOf(error)) {
    case 'EADDRINUSE':
      return failed('CONFLICT', 'address already in use');
    case 'EACCES': {
      const start = unprivilegedStart();
      return failed(
        'INVALID',
        `permission denied: ports below ${start} are root's; publish on ${start} or above, or lower net.ipv4.ip_unprivileged_port_start as root`,
      );
    }
    case 'EADDRNOTAVAIL':
      return failed('INVALID', `cannot assign requested address: this host has no address ${port.hostAddress}`);
    case 'EMFILE':
      return failed('UNAVAILABLE', 'too many open files: publish fewer ports or raise the limit (ulimit -n)');
    default:
      return failed('UNAVAILABLE', messageOf(error));
  }
}
