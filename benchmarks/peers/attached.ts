import { type Background, startBackground } from '../measure/process.js';
import { enter, startHolder, untilAddress } from './holder.js';
import type { Path } from './peer.js';

interface Stack {
  /** The stack's command line; `pid` holds the namespace that it is to attach to. */
  argv(pid: number): readonly string[];
  /** What the guest has when the stack is there. */
  readonly address: string;
  /** What stands for the host's loopback. */
  readonly serverAddress: string;
  /** What has to happen before it is of use, beside the address. */
  prepare?(stack: Background): Promise<void>;
  /** What is to be undone at the end, whether it came up or not. */
  cleanUp?(): void;
}

/**
 * A path by a stack that attaches to a namespace that is there: one process holds it, and the stack runs beside that.
 *
 * @throws Error that says why it did not come up
 */
export async function attach({ argv, address, serverAddress, prepare, cleanUp }: Stack): Promise<Path> {
  const processes: Background[] = [];
  const close = async () => {
    for (const one of processes.reverse()) await one.end();
    cleanUp?.();
  };
  try {
    const holder = await startHolder();
    processes.push(holder);
    const stack = await startBackground(argv(holder.pid));
    processes.push(stack);
    const inside = enter(holder.pid);
    await untilAddress(inside, address, stack);
    await prepare?.(stack);
    return {
      ...{ serverAddress, listenAddress: '127.0.0.1', publishedAddress: '127.0.0.1' },
      ...{ inside, outside: [], processes: [stack.pid], close },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
