import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../model/errors.js';
import type { NativeModule } from '../native/index.js';
import type { Log } from './log.js';

/**
 * Rewrites the /etc files of running containers in place.
 *
 * # Theory of operation
 *
 * A container has these files by bind mounts, which hold an inode: a file that is renamed over the old one would never be seen. So the
 * bytes of that inode change under readers who know nothing of us, and who read in pieces: glibc 4096 bytes at a time, musl 1024, a shell
 * 128. Neither order of writing and truncating is safe for them: between `O_TRUNC` and `write` the file is empty, and whoever has
 * read the first piece of the old text gets the second piece of the new one. Nor does one single `write` help: POSIX promises that reads
 * see all of it or nothing, but of Linux's file systems only XFS holds a lock over a read; ext4, btrfs and tmpfs copy from the page
 * cache while a writer copies into it.
 *
 * What does help is that every reader has to open the file. A write lease (fcntl(2), `F_SETLEASE`) is granted only while nobody
 * has the file open, through whichever mount, and while it is held `open` waits. So under the lease there is no reader, the
 * text is written, truncated to its length, the lease given back, and who waited some microseconds in `open` reads the new text from
 * its first byte to its last, in pieces of any size (native/sys/src/lease.rs).
 *
 * While somebody has it open, we come again, soon and then less often. A text that is newer takes the place of one that waits.
 *
 * Measured with two processes that read 3 KB over and over without a pause, 128 bytes at a time, on ext4: with `O_TRUNC` and `write` four
 * readings of five were torn, with one `pwrite` that never shortens it three of a hundred, under the lease none; and of the
 * attempts to get the lease one in fifty succeeded, so that such readers hold the new text up by some tens of milliseconds.
 *
 * # Limits
 *
 * Who never closes it (`tail -f /etc/hosts`), or so many readers that there is always one, would keep the file as it is for ever. After a
 * second it is therefore written under their eyes: by one `pwrite` of the whole text, filled up with empty lines to the length of
 * the old one, so that the file is never shorter than a reader found it. A reader that is between two of its pieces in that very
 * moment gets the rest of another text; one that reads it in one piece does so only if both copy in the same nanoseconds. The
 * same is done at once where a file system has no leases (NFS, FUSE), and before Linux 5.4, which counts a bind mount as an open file.
 *
 * A guest may hold a lease of its own (it is the same user, and reading is enough for one), and an `open` of ours would then wait for 45
 * seconds, the whole daemon with it. So nothing here opens such a file without `O_NONBLOCK`; who holds a lease over and over keeps the
 * old text, for itself alone.
 */
const PATIENCE_MILLISECONDS = 1000;
const FIRST_PAUSE_MILLISECONDS = 1;
const LONGEST_PAUSE_MILLISECONDS = 16;
/** Between two looks at a file that somebody has leased. */
const LEASED_PAUSE_MILLISECONDS = 1000;
/** Of the daemon's time in each round, for all files together: to meet the moment between two readers who come one upon the other. */
const BURST_MICROSECONDS = 500;
const EMPTY_LINE = 0x0a;

export class EtcFiles {
  readonly #native: Pick<NativeModule, 'overwriteUnopened'>;
  readonly #log: Log;
  /** What is still to be written, by path. */
  readonly #waiting = new Map<string, string>();

  constructor(native: Pick<NativeModule, 'overwriteUnopened'>, log: Log) {
    this.#native = native;
    this.#log = log;
  }

  /** At once, or as soon as nobody has it open. What goes wrong is logged; a file that is no longer there is no error. */
  rewrite(path: string, text: string): void {
    const isWaiting = this.#waiting.has(path);
    // Whoever watches it by its times need not read it for nothing.
    if (isAlready(path, text) || this.#overwrite(path, text, 0)) this.#waiting.delete(path);
    else {
      this.#waiting.set(path, text);
      if (!isWaiting) void this.#comeAgain(path);
    }
  }

  async #comeAgain(path: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MILLISECONDS;
    let pause = FIRST_PAUSE_MILLISECONDS;
    for (;;) {
      await sleep(pause, undefined, { ref: false });
      const text = this.#waiting.get(path);
      if (text === undefined) return;
      if (this.#overwrite(path, text, Math.floor(BURST_MICROSECONDS / this.#waiting.size))) break;
      if (Date.now() < deadline) pause = Math.min(pause * 2, LONGEST_PAUSE_MILLISECONDS);
      else if (this.#underReaders(path, text)) break;
      else pause = LEASED_PAUSE_MILLISECONDS;
    }
    this.#waiting.delete(path);
  }

  /** False: it is to be tried again. */
  #overwrite(path: string, text: string, patience: number): boolean {
    try {
      return this.#native.overwriteUnopened(path, text, patience);
    } catch {
      // No leases here, or the file has gone: the plain way says which.
      return this.#underReaders(path, text);
    }
  }

  /** False: somebody has leased it, and it is to be tried again. */
  #underReaders(path: string, text: string): boolean {
    try {
      writeUnderReaders(path, text);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') return false;
      if (errno !== 'ENOENT') this.#log.warn({ err: error, path }, 'a file of a container was not rewritten');
    }
    return true;
  }
}

function isAlready(path: string, text: string): boolean {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return readFileSync(file, 'utf8') === text;
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

function writeUnderReaders(path: string, text: string): void {
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const content = Buffer.from(text);
    const whole = Buffer.alloc(Math.max(content.length, fstatSync(file).size), EMPTY_LINE);
    content.copy(whole);
    writeSync(file, whole, 0, whole.length, 0);
  } finally {
    closeSync(file);
  }
}
