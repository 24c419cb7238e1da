import type { Peer } from './peer.js';

/** No stack at all: what the machine can do. */
export const loopback: Peer = {
  name: 'kernel loopback',
  mtus: [null],
  server: '127.0.0.1',
  wrap: (client) => [...client],
  stack: () => null,
};
