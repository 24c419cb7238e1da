import { type FSWatcher, readFileSync, readlinkSync, statSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/**
 * Keeps an eye on the host's resolv.conf.
 *
 * The file is replaced more often than it is written: by rename (NetworkManager, resolvconf), by turning a symbolic link (systemd-resolved), by
 * a VPN that puts its own beside it. A watch on the file would stay with the old inode, so the *directory* of every link
 * on the way and of the target is watched, for changes of that one name. What cannot be watched (a dangling link's absent
 * directory, no inotify left) is looked at by `stat` when somebody asks, at most every two seconds. Nothing runs while
 * nobody asks and nothing changes.
 */

/** Editors and network managers write in several steps. */
const SETTLE_MS = 50;
const LOOK_MS = 2000;
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
  let complete = false;
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
    complete = true;
    for (const name of linkChain(path)) {
      try {
        const watcher = watch(dirname(name), { persistent: false }, (_event, changed) => {
          if (changed === null || changed === basename(name)) lookSoon();
        });
        watcher.on('error', () => {
          complete = false;
        });
        watchers.push(watcher);
      } catch {
        complete = false;
      }
    }
  };

  rewatch();
  return {
    current() {
      if (!complete && performance.now() - lookedAt >= LOOK_MS) look();
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
