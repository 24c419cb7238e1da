import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Programs that run beside a measurement: stacks, servers, the processes that hold namespaces open. Each is known by its process id and
 * ended by it: nothing is ever looked for by name, because the machine may run others' stacks as well.
 */

const READY_MS = 8000;
const END_MS = 3000;
const LOOK_MS = 20;
/** Of what a program said, enough to tell why it ended. */
const KEPT_CHARACTERS = 4000;

export interface Background {
  readonly pid: number;
  /** What it has said so far, both streams. */
  output(): string;
  alive(): boolean;
  /** SIGTERM, and SIGKILL when that does not help. */
  end(): Promise<void>;
}

/** @throws Error when the program cannot be started */
export async function startBackground(argv: readonly string[], env?: NodeJS.ProcessEnv): Promise<Background> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(env && { env }) });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-KEPT_CHARACTERS);
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`cannot start ${program}: ${error.message}`)));
  });
  const alive = () => child.exitCode === null && child.signalCode === null;
  return { pid: child.pid ?? 0, output: () => text, alive, end: () => end(child, alive) };
}

async function end(child: ChildProcess, alive: () => boolean): Promise<void> {
  if (!alive()) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await ended;
  clearTimeout(timer);
}

/**
 * Asks until there is an answer.
 *
 * @throws Error in the program's own words when it ends or takes too long
 */
export async function untilReady<T>(what: string, program: Background, look: () => T | null): Promise<T> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const answer = look();
    if (answer !== null) return answer;
    if (!program.alive()) throw new Error(`${what} ended: ${lastLine(program.output())}`);
    if (performance.now() > deadline) {
      throw new Error(`${what} was not ready after ${READY_MS} ms: ${lastLine(program.output())}`);
    }
    await sleep(LOOK_MS);
  }
}

interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, or kills it. */
export async function runToEnd(
  argv: readonly string[],
  { timeoutMs, env }: { timeoutMs: number; env?: NodeJS.ProcessEnv },
): Promise<Finished> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(env && { env }) });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`cannot start ${program}: ${error.message}`)));
      child.once('close', resolve);
    });
    return { status, ...said };
  } finally {
    clearTimeout(timer);
  }
}

/** Like `runToEnd`, for programs that must succeed: what they printed. */
export async function output(
  argv: readonly string[],
  options: { timeoutMs: number; env?: NodeJS.ProcessEnv },
): Promise<string> {
  const { status, stdout, stderr } = await runToEnd(argv, options);
  if (status !== 0) throw new Error(`${argv.slice(0, 4).join(' ')} failed: ${lastLine(stderr || stdout)}`);
  return stdout;
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || 'it said nothing';
}
