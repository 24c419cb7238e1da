import type { ExposedPort } from '../../model/exposed-port.js';
import type { Container } from '../container.js';
import { readListeners } from './read-listeners.js';

/** How often is looked while somebody waits for a first listener. */
const LOOK_MILLISECONDS = 50;

/**
 * On which ports containers are seen listening (Decision 8). A look is four short reads of /proc; it is taken when somebody asks (`ps`, `inspect`,
 * a start that has a link) and, while a start waits, twenty times a second. Between questions nothing runs: what a port is used for
 * then, the variables of a link, does not change after the start.
 */
export class Listeners {
  readonly #read: (record: Container['record']) => ExposedPort[];
  readonly #waiting = new Set<() => void>();

  constructor(read: (record: Container['record']) => ExposedPort[] = readListeners) {
    this.#read = read;
  }

  /** As of now; none when it does not run. */
  seen(container: Container): ExposedPort[] {
    return container.running ? this.#read(container.record) : [];
  }

  /**
   * Waits until the container listens somewhere, has ended, `milliseconds` have passed, `signal` is aborted or the daemon ends.
   *
   * @returns whether it listens
   */
  first(
    container: Container,
    { milliseconds, signal }: { milliseconds: number; signal: AbortSignal },
  ): Promise<boolean> {
    const deadline = Date.now() + milliseconds;
    return new Promise((resolve) => {
      const finish = (listens: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.#waiting.delete(giveUp);
        forget();
        resolve(listens);
      };
      const giveUp = () => finish(false);
      const look = () => {
        if (this.seen(container).length > 0) finish(true);
        else if (!container.running || signal.aborted || Date.now() >= deadline) finish(false);
        else timer = setTimeout(look, Math.min(LOOK_MILLISECONDS, deadline - Date.now()));
      };
      let timer: NodeJS.Timeout | undefined;
      const forget = container.onChange(() => container.running || giveUp());
      signal.addEventListener('abort', giveUp);
      this.#waiting.add(giveUp);
      look();
    });
  }

  /** Whoever waits goes on. */
  close(): void {
    for (const giveUp of [...this.#waiting]) giveUp();
  }
}
