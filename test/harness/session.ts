import type { Running } from './running.js';
import type { Unet } from './unet.js';

/** Between a script and the next: what no program prints by itself. */
const MARK = '=said=';

/** A shell in one container that takes one script after the other, as somebody who stays inside and looks again. */
export class Session {
  readonly #running: Running;
  #scripts = 0;

  private constructor(running: Running) {
    this.#running = running;
  }

  /** Starts a container in the foreground, and returns when its shell answers. */
  static async open(unet: Unet, options: readonly string[] = []): Promise<Session> {
    const session = new Session(unet.start(['run', ...options, '--', 'sh']));
    await session.ask('true');
    return session;
  }

  /** What unet itself said on the way in: warnings. */
  get stderr(): string {
    return this.#running.stderr;
  }

  /** Output and errors of a script, without the last line feed. */
  async ask(script: string): Promise<string> {
    return (await this.try(script)).text;
  }

  /** Like ask, with the status. */
  async try(script: string, timeoutMs = 20_000): Promise<{ code: number; text: string }> {
    this.#scripts += 1;
    const mark = `${MARK}${this.#scripts}`;
    const from = this.#running.stdout.length;
    this.#running.child.stdin?.write(`( ${script}\n) </dev/null 2>&1; echo "${mark} $?"\n`);
    const [whole, code] = await this.#running.output(new RegExp(`${mark} (\\d+)\n`), { timeoutMs });
    const text = this.#running.stdout.slice(from, this.#running.stdout.lastIndexOf(whole));
    return { code: Number(code), text: text.replace(/\n$/, '') };
  }

  /** The shell reads its end and goes; what is left is what `unet ps -a` shows. */
  async leave(): Promise<void> {
    this.#running.child.stdin?.end();
    await this.#running.result();
  }
}
