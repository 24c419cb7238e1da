import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { patient } from './patience.js';

export interface Result {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const STEP_MS = 10;
const DEFAULT_WAIT_MS = 10_000;

/** A program of the world, its output collected from the first byte. */
export class Running {
  readonly child: ChildProcess;
  readonly #argv: readonly string[];
  /** nsenter stands between us and the program. */
  readonly #entered: boolean;
  readonly #exited: Promise<Result>;
  #stdout = '';
  #stderr = '';
  #result: Result | null = null;

  constructor(
    command: string,
    args: readonly string[],
    options: SpawnOptions & { entered: boolean; input?: string | Buffer },
  ) {
    const { entered, input, ...spawnOptions } = options;
    this.#argv = [command, ...args];
    this.#entered = entered;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...spawnOptions });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // A program that ends without reading its input is no error of the test.
    this.child.stdin?.on('error', () => {});
    if (input !== undefined) this.child.stdin?.end(input);
    this.#exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        this.#result = { code, signal, stdout: this.#stdout, stderr: this.#stderr };
        resolve(this.#result);
      });
    });
    this.#exited.catch(() => {});
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get ended(): boolean {
    return this.#result !== null;
  }

  /** Waits for the end; a program that outlives the time is killed, and that is an error. */
  async result(timeoutMs = 30_000): Promise<Result> {
    const limit = patient(timeoutMs);
    const timer = new AbortController();
    const late = sleep(limit, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const);
    const first = await Promise.race([this.#exited, late]);
    timer.abort();
    if (first !== 'late') return first;
    this.kill('SIGKILL');
    throw new Error(`${this.describe()} did not end within ${limit} ms${this.#outputForMessage()}`);
  }

  /** Waits until the output holds the pattern and gives the match. */
  async output(
    pattern: RegExp,
    { from = 'stdout', timeoutMs = DEFAULT_WAIT_MS }: OutputOptions = {},
  ): Promise<RegExpExecArray> {
    const limit = patient(timeoutMs);
    const deadline = performance.now() + limit;
    for (;;) {
      const match = pattern.exec(from === 'stdout' ? this.#stdout : this.#stderr);
      if (match !== null) return match;
      if (this.ended)
        throw new Error(`${this.describe()} ended without ${pattern} on ${from}${this.#outputForMessage()}`);
      if (performance.now() > deadline)
        throw new Error(`${this.describe()} did not print ${pattern} in ${limit} ms${this.#outputForMessage()}`);
      await sleep(STEP_MS);
    }
  }

  /** The program's own process id as the outside sees it. */
  async pid(): Promise<number> {
    const outer = this.child.pid;
    if (outer === undefined) throw new Error(`${this.describe()} was not started`);
    if (!this.#entered) return outer;
    for (let waited = 0; waited < patient(DEFAULT_WAIT_MS) && !this.ended; waited += STEP_MS) {
      const [child] = childrenOf(outer);
      if (child !== undefined && commandOf(child) !== 'nsenter') return child;
      await sleep(STEP_MS);
    }
    throw new Error(`${this.describe()} has no process${this.#outputForMessage()}`);
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Ends it now, with nsenter in front of it. */
  kill(signal: NodeJS.Signals): void {
    const outer = this.child.pid;
    if (outer === undefined || this.ended) return;
    for (const pid of this.#entered ? [...childrenOf(outer), outer] : [outer]) {
      try {
        process.kill(pid, signal);
      } catch {
        // It was faster.
      }
    }
  }

  describe(): string {
    return this.#argv.slice(this.#entered ? this.#argv.lastIndexOf('--') + 1 : 0).join(' ');
  }

  #outputForMessage(): string {
    return `\n--- stdout\n${this.#stdout.slice(-2000)}\n--- stderr\n${this.#stderr.slice(-2000)}`;
  }
}

interface OutputOptions {
  readonly from?: 'stdout' | 'stderr';
  readonly timeoutMs?: number;
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
