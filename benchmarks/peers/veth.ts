import { output } from '../measure/process.js';
import { enter, startHolder } from './holder.js';
import type { Path, Peer } from './peer.js';

const SETUP_MS = 5000;

/** Two network namespaces joined by the kernel: the ceiling of guest to guest. Made as an ordinary user, inside one user namespace. */
export const veth: Peer = {
  name: 'kernel veth',
  kind: 'ceiling',
  mtus: [1500, 65_520],
  async start({ mtu }): Promise<Path> {
    const near = await startHolder();
    const inside = enter(near.pid);
    const far = await startHolder(inside, false).catch(async (error: unknown) => {
      await near.end();
      throw error;
    });
    const outside = enter(far.pid);
    const close = async () => {
      await far.end();
      await near.end();
    };
    const ip = (where: readonly string[], words: string) =>
      output([...where, 'ip', ...words.split(' ')], { timeoutMs: SETUP_MS });
    try {
      const size = mtu ?? 1500;
      await ip(inside, `link add near mtu ${size} type veth peer name far mtu ${size} netns ${far.pid}`);
      for (const [where, name, address] of [
        [inside, 'near', '192.0.2.1'],
        [outside, 'far', '192.0.2.2'],
      ] as const) {
        await ip(where, `address add ${address}/24 dev ${name}`);
        await ip(where, `link set ${name} up`);
        await ip(where, 'link set lo up');
      }
    } catch (error) {
      await close();
      throw error;
    }
    const address = '192.0.2.2';
    return {
      serverAddress: address,
      listenAddress: address,
      inside,
      outside,
      processes: [],
      publishedAddress: address,
      close,
    };
  },
};
