import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Paths } from '../model/paths.js';
import type { Log } from './log.js';

/** How often the daemon makes sure that clients can still find it. */
const LOOK_MILLISECONDS = 2000;
/** Shorter than the sockets' own names, whose length was checked. */
const MAKING = 'new.sock';

/**
 * The daemon's end of `unet.sock`. It is bound under another name and renamed: it is never there before it is closed to
 * others, a stale one is replaced in one step, and libuv, which unlinks what it bound when it closes, finds nothing. So the
 * path is removed by nobody but `remove`, which looks whose it is first.
 *
 * Sockets get lost: by tidying up, or with the whole directory at a logout. A daemon that nobody can find must not sit on its locks, so
 * `watch` binds again while the directory is ours (the lock file in it is still the one we locked), and else gives up.
 */
export class ControlSocket {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #lock: string | null;
  #bound: string | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#lock = identityOf(paths.lockFile);
  }

  async listen(app: FastifyInstance): Promise<void> {
    const making = this.#making();
    rmSync(making, { force: true });
    await app.listen({ path: making });
    this.#publish(making);
  }

  /** @param onLost the directory is not ours any more: nobody can find this daemon, and another may be there already */
  watch(app: FastifyInstance, onLost: () => void): void {
    this.#timer = setInterval(() => {
      if (identityOf(this.#paths.controlSocket) === this.#bound) return;
      try {
        if (identityOf(this.#paths.lockFile) !== this.#lock)
          throw new Error('the runtime directory is gone or replaced');
        this.#bindAgain(app);
      } catch (error) {
        this.#log.error({ err: error, socket: this.#paths.controlSocket }, 'the control socket is lost');
        this.stop();
        onLost();
      }
    }, LOOK_MILLISECONDS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Takes the path away, unless it is another's. */
  remove(): void {
    this.stop();
    if (this.#bound !== null && identityOf(this.#paths.controlSocket) === this.#bound) {
      rmSync(this.#paths.controlSocket, { force: true });
    }
    this.#bound = null;
  }

  /** Connections that stand stay as they are. */
  #bindAgain(app: FastifyInstance): void {
    const making = this.#making();
    rmSync(making, { force: true });
    app.server.close();
    // What fails is tried again at the next look.
    const onError = (error: Error) => this.#log.error({ err: error }, 'the control socket cannot be bound again');
    app.server.once('error', onError);
    app.server.listen(making, () => {
      app.server.removeListener('error', onError);
      this.#publish(making);
    });
    this.#log.warn({ socket: this.#paths.controlSocket }, 'the control socket was gone; binding it again');
  }

  #publish(making: string): void {
    chmodSync(making, 0o600);
    renameSync(making, this.#paths.controlSocket);
    this.#bound = identityOf(this.#paths.controlSocket);
  }

  #making(): string {
    return `${this.#paths.runtimeDirectory}/${MAKING}`;
  }
}

/** Null when there is nothing. The time tells a new file from an old one whose number was given out again. */
function identityOf(path: string): string | null {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats ? `${stats.dev}:${stats.ino}:${stats.birthtimeNs}` : null;
}
