import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastLine, output } from './process.js';

/**
 * unet-load, the benchmarks' own load generator (native/load): its servers end with their standard input, which is a pipe of ours, so that
 * none outlives this process whatever happens to it; its clients print one line of JSON.
 */

const READY_MS = 5000;
const END_MS = 3000;
const LOOK_MS = 50;
/** More than a client's own patience: it says better than we what went wrong. */
const LATE_MS = 25_000;
const KEPT_CHARACTERS = 2000;

/** The program, where scripts/bench.mjs puts it. */
export function loadProgram(root: string): string {
  const program = join(root, '.cache', 'bench', 'unet-load');
  if (!existsSync(program)) throw new Error(`${program} is missing: start the benchmarks by npm run bench`);
  return program;
}

/** One that runs and is spoken with by lines. */
export class LoadProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: string[] = [];
  #errors = '';
  #wake = () => {};
  #ended = false;

  constructor(argv: readonly string[]) {
    const [program = '', ...args] = argv;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    createInterface(this.#child.stdout).on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT_CHARACTERS);
    });
    // Written to after it has ended: its own words come by `line`.
    this.#child.stdin.on('error', () => {});
    const over = () => {
      this.#ended = true;
      this.#wake();
    };
    this.#child.once('error', (error) => {
      this.#errors = error.message;
      over();
    });
    this.#child.once('close', over);
  }

  alive(): boolean {
    return !this.#ended;
  }

  /** @throws Error in its own words when it ends or takes too long before the next line */
  async line(timeoutMs: number): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#ended) throw new Error(lastLine(this.#errors));
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`unet-load said nothing for ${timeoutMs} ms`);
      await this.#woken(left);
    }
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** What tells it to come to its end. */
  endInput(): void {
    this.#child.stdin.end();
  }

  async end(): Promise<void> {
    this.endInput();
    const deadline = performance.now() + END_MS;
    while (!this.#ended) {
      if (performance.now() > deadline) this.#child.kill('SIGKILL');
      await this.#woken(LOOK_MS);
    }
  }

  #woken(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

interface ServerOptions {
  readonly root: string;
  /** The words that bring it to where it shall listen. */
  readonly before: readonly string[];
  readonly kind: 'rr-server' | 'conn-server' | 'udp-receive' | 'hold-server';
  readonly address: string;
  readonly port: number;
}

/** A server that is there for a whole scenario, from its first use. */
export class LoadServer {
  readonly #options: ServerOptions;
  #running: LoadProcess | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#running?.alive()) return;
    const { root, before, kind, address, port } = this.#options;
    const server = new LoadProcess([...before, loadProgram(root), kind, `${address}:${port}`]);
    this.#running = server;
    await server.line(READY_MS);
  }

  async end(): Promise<void> {
    await this.#running?.end();
    this.#running = null;
  }
}

/** Runs a client; what it reports. */
export async function runLoad<T>(argv: readonly string[], seconds: number): Promise<T> {
  return JSON.parse(await output(argv, { timeoutMs: seconds * 1000 + LATE_MS })) as T;
}

/**
 * Until a byte comes back from a server behind a published port: some stacks publish it a moment after it is listened on.
 *
 * @throws Error when none does
 */
export async function untilAnswered(address: string, port: number): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await answers(address, port))) {
    if (performance.now() > deadline) throw new Error(`the published port ${port} does not answer`);
    await sleep(LOOK_MS);
  }
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => socket.write('?'));
    const done = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(READY_MS / 5, () => done(false));
    socket.once('data', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
