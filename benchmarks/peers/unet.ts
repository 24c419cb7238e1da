import { MTUS, type Path, type Peer } from './peer.js';
import { UnetDaemon } from './unet-daemon.js';

/** unet, with a daemon of its own for each path. */
export function unet(root: string): Peer {
  return {
    name: 'unet',
    kind: 'unet',
    mtus: MTUS,
    async start({ mtu, publish = [], publishUdp = [] }): Promise<Path> {
      const daemon = new UnetDaemon(root);
      try {
        const { inside } = await daemon.guest({ name: 'guest', mtu: mtu ?? 1500, publish, publishUdp });
        const { pid, network } = await daemon.facts();
        return {
          serverAddress: network.gateway,
          listenAddress: '127.0.0.1',
          inside,
          outside: [],
          processes: [pid],
          publishedAddress: '127.0.0.1',
          close: () => daemon.close(),
        };
      } catch (error) {
        await daemon.close();
        throw error;
      }
    },
  };
}

/** Two containers on unet's one network. */
export function unetPair(root: string): Peer {
  return {
    name: 'unet',
    kind: 'unet',
    mtus: MTUS,
    async start({ mtu }): Promise<Path> {
      const daemon = new UnetDaemon(root);
      try {
        const near = await daemon.guest({ name: 'near', mtu: mtu ?? 1500 });
        const far = await daemon.guest({ name: 'far', mtu: mtu ?? 1500 });
        const { pid } = await daemon.facts();
        return {
          serverAddress: far.address,
          listenAddress: far.address,
          inside: near.inside,
          outside: far.inside,
          processes: [pid],
          publishedAddress: far.address,
          close: () => daemon.close(),
        };
      } catch (error) {
        await daemon.close();
        throw error;
      }
    },
  };
}
