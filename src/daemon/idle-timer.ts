/**
 * Ends the daemon when it has had nothing to do for a while. Everything that keeps it busy, a request or a live container,
 * holds it; the clock runs while nobody does.
 */
export class IdleTimer {
  readonly #milliseconds: number;
  readonly #onIdle: () => void;
  #holders = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param seconds 0: it never fires */
  constructor(seconds: number, onIdle: () => void) {
    this.#milliseconds = seconds * 1000;
    this.#onIdle = onIdle;
    this.#restart();
  }

  /** Returns the release; calling that twice does no harm. */
  hold(): () => void {
    this.#holders++;
    this.stop();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders--;
      if (this.#holders === 0) this.#restart();
    };
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #restart(): void {
    this.stop();
    if (this.#milliseconds > 0) this.#timer = setTimeout(this.#onIdle, this.#milliseconds);
  }
}
