import type { Result, Running } from './running.js';
import { type StartOptions, until, type World } from './world.js';

/** The CLI in the world's `host`, as its user types it. */
export class Unet {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  argv(...args: string[]): string[] {
    return [process.execPath, this.#world.app('dist/unet.cjs'), ...args];
  }

  start(args: readonly string[], options: StartOptions = {}): Running {
    return this.#world.start('host', this.argv(...args), options);
  }

  async run(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return this.#world.run('host', this.argv(...args), options);
  }

  /** Like run, for commands that must succeed: their stdout. */
  async ok(args: readonly string[], options: StartOptions = {}): Promise<string> {
    const { code, signal, stdout, stderr } = await this.run(args, options);
    if (code !== 0)
      throw new Error(
        `unet ${args.join(' ')}: ${signal ?? `exit ${code}`}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`,
      );
    return stdout;
  }

  /** A shell script in a fresh container, its stdout without the last line feed. */
  async shell(script: string, options: readonly string[] = [], start: StartOptions = {}): Promise<string> {
    return (await this.ok(['run', '--rm', ...options, '--', 'sh', '-c', script], start)).trimEnd();
  }

  /** Starts a container in the background and gives its id. */
  async detached(options: readonly string[], argv: readonly string[]): Promise<string> {
    return (await this.ok(['run', '-d', ...options, '--', ...argv])).trim();
  }

  async logs(name: string): Promise<string> {
    const { stdout, stderr } = await this.run(['logs', name]);
    return stdout + stderr;
  }

  /** Until the container has printed it. */
  async logged(name: string, pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    let text = '';
    await until(
      `${pattern} in the log of ${name}`,
      async () => {
        text = await this.logs(name);
        return pattern.test(text);
      },
      timeoutMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n--- log\n${text}`);
    });
    return text;
  }

  /** Removes every container and ends the daemon: the next test begins as the first did. */
  async reset(): Promise<void> {
    const names = (await this.run(['ps', '-a', '-q'])).stdout.split('\n').filter(Boolean);
    if (names.length > 0) await this.run(['rm', '-f', ...names]);
  }
}
