import type { Socket } from 'node:net';
import type { NativeModule, PeerIdentity } from './stack.js';

/**
 * Who is at the other end of a connection of our control socket, or null when that cannot be found out. Node has no
 * public way to the descriptor of a socket; the private one is asked for here alone, and its absence counts as unknown.
 */
export function peerOf(socket: Socket, native: Pick<NativeModule, 'peerIdentity'>): PeerIdentity | null {
  const fd = (socket as unknown as { _handle?: { fd?: unknown } })._handle?.fd;
  if (typeof fd !== 'number' || fd < 0) return null;
  try {
    return native.peerIdentity(fd);
  } catch {
    return null;
  }
}
