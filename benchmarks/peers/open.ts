import type { Path, PathOptions, Peer } from './peer.js';

/** A path that was asked for; when it did not come up, using it says why, and the case's row then says so too. */
export interface Opened {
  readonly peer: Peer;
  readonly mtu: number | null;
  /** @throws Error with what went wrong at the start */
  path(): Path;
}

export interface Wanted extends PathOptions {
  readonly peer: Peer;
}

/** Opens paths, does something with them, and closes them whatever happened. */
export async function withPaths<T>(
  wanted: readonly Wanted[],
  body: (opened: readonly Opened[]) => Promise<T>,
): Promise<T> {
  const opened: (Opened & { close(): Promise<void> })[] = [];
  try {
    for (const { peer, ...options } of wanted) opened.push(await open(peer, options));
    return await body(opened);
  } finally {
    for (const one of opened.reverse()) await one.close().catch(() => {});
  }
}

async function open(peer: Peer, options: PathOptions): Promise<Opened & { close(): Promise<void> }> {
  try {
    const path = await peer.start(options);
    return { peer, mtu: options.mtu, path: () => path, close: () => path.close() };
  } catch (error) {
    const path = () => {
      throw error;
    };
    return { peer, mtu: options.mtu, path, close: async () => {} };
  }
}
