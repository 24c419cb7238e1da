import type { Peer } from './peer.js';

/** No stack at all: what the machine can do. */
export const loopback: Peer = {
  name: 'kernel loopback',
  kind: 'ceiling',
  mtus: [null],
  start: async () => ({
    serverAddress: '127.0.0.1',
    listenAddress: '127.0.0.1',
    inside: [],
    outside: [],
    processes: [],
    publishedAddress: '127.0.0.1',
    close: async () => {},
  }),
};
