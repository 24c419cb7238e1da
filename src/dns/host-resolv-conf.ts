import { type FSWatcher, readFileSync, readlinkSync, statSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/**
 * Keeps an eye on the host's resolv.conf.
 *
 * The file is replaced more often than it is written: by rename (NetworkManager, resolvconf), by turning a symbolic link (systemd-resolved), by
 * a VPN that puts its own beside it. A watch on the file would stay with the old inode, so the *directory* of every link
 * on the way and of the target is watched, for changes of that one name.
 *
 * Watches alone miss what happens elsewhere: a file that is mounted over the name and written at its other place, a directory on
 * the path that is itself a link and is turned, or is moved away and replaced: the watch stays with what was there. So when somebody asks
 * the path is looked at as well, at most every two seconds, by one `stat`; that serves where nothing can be watched, too. Where
 * it is another, the watches are set anew. Nothing runs while nobody asks and nothing changes.
 *
 * Limits: a change that no watch tells is found two seconds late, and not before somebody asks; one that leaves size, times and inode
 * as they were is not found. Links are read and the file is looked at in the daemon's one thread: on a file system that hangs, it hangs as long.
 */

/** Editors and network managers write in several steps. */
const SETTLE_MS = 50;
/** How old what a watch has told may be when somebody asks. */
export const LOOK_MS = 2000;
const MAX_LINKS = 10;
/** Read whole, so bounded: what is larger is no resolv.conf. */
const MAX_READ_BYTES = 1024 * 1024;

export interface HostFile {
  /** The text, or null where there is no file that we may read. */
  current(): string | null;
  close(): void;
}

export function watchHostFile(path: string, onChange: (text: string | null) => void): HostFile {
  let text = readOrNull(path);
  let seen = fingerprint(path);
  let lookedAt = performance.now();
  let watchers: FSWatcher[] = [];
  let settle: NodeJS.Timeout | null = null;

  const look = (): void => {
    lookedAt = performance.now();
    const now = fingerprint(path);
    if (now === seen) return;
    seen = now;
    rewatch();
    const fresh = readOrNull(path);
    if (fresh === text) return;
    text = fresh;
    onChange(text);
  };
  const lookSoon = (): void => {
    settle ??= setTimeout(() => {
      settle = null;
      look();
    }, SETTLE_MS);
  };
  const unwatch = (): void => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };
  const rewatch = (): void => {
    unwatch();
    for (const name of linkChain(path)) {
      const directory = dirname(name);
      // Its own name is told when it is moved or removed.
      const told = [basename(name), basename(directory)];
      try {
        const watcher = watch(directory, { persistent: false }, (_event, changed) => {
          if (changed === null || told.includes(changed)) lookSoon();
        });
        watcher.on('error', () => {});
        watchers.push(watcher);
      } catch {
        // It is looked at when somebody asks.
      }
    }
  };

  rewatch();
  return {
    current() {
      // While somebody writes it, the moment after is waited for.
      if (settle === null && performance.now() - lookedAt >= LOOK_MS) look();
      return text;
    },
    close() {
      unwatch();
      if (settle !== null) clearTimeout(settle);
    },
  };
}

/** The path, and what it links to, step by step. */
function linkChain(path: string): string[] {
  const chain = [path];
  for (let name = path; chain.length <= MAX_LINKS; ) {
    let target: string;
    try {
      target = readlinkSync(name);
    } catch {
      return chain;
    }
    name = resolve(dirname(name), target);
    chain.push(name);
  }
  return chain;
}

/** Changes when the file is replaced, written or removed, or a link on the way is turned. */
function fingerprint(path: string): string {
  const links = linkChain(path).join('\0');
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [links, dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return links;
  }
}

function readOrNull(path: string): string | null {
  try {
    const { size } = statSync(path);
    return size <= MAX_READ_BYTES ? readFileSync(path, 'utf8') : null;
  } catch {
    return null;
  }
}
