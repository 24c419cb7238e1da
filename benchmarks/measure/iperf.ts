import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf } from './cpu.js';

export type Direction = 'guest → host' | 'host → guest';

export interface Measurement {
  readonly bitsPerSecond: number;
  /** Of the stack's process; null when the kernel is the stack. */
  readonly cpuSecondsPerGiB: number | null;
}

const GIBIBYTE = 1024 ** 3;
/** Left out at both ends when CPU time is sampled: start-up, slow start and the farewell. */
const MARGIN_MS = 400;
const READY_MS = 5000;
const LATE_MS = 20_000;

/** iperf3 as a server on the host's loopback. */
export async function startServer(port: number): Promise<ChildProcess> {
  const server = spawn('iperf3', ['-s', '-B', '127.0.0.1', '-p', String(port), '--forceflush'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('iperf3 -s did not come up')), READY_MS);
    server.once('error', () => reject(new Error('iperf3 is not installed: it is what the benchmark measures with')));
    server.once('exit', () => reject(new Error(`iperf3 -s ended: is port ${port} taken?`)));
    server.stdout?.on('data', (text: Buffer) => {
      if (!text.includes('listening')) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return server;
}

/** The client's own words, to be put behind whatever runs it. */
export function clientArgv(host: string, port: number, direction: Direction, seconds: number): string[] {
  const reverse = direction === 'host → guest' ? ['-R'] : [];
  return ['iperf3', '-c', host, '-p', String(port), '-t', String(seconds), '-J', ...reverse];
}

/**
 * Runs a client and says what arrived. `stack` finds the process whose CPU time counts, once the client runs.
 *
 * @throws Error with iperf3's own words when it did not work
 */
export async function measure(
  argv: readonly string[],
  seconds: number,
  stack: () => number | null,
): Promise<Measurement> {
  const [program = '', ...args] = argv;
  const client = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  client.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => client.kill('SIGKILL'), seconds * 1000 + LATE_MS);
  const ended = new Promise<void>((resolve, reject) => {
    client.once('error', reject);
    client.once('close', () => resolve());
  });
  const sampled = sampleCpu(seconds, stack);
  await ended;
  clearTimeout(timer);
  const rate = received(stdout);
  if (rate === null) throw new Error(`${program}: ${stderr.trim() || stdout.slice(0, 500)}`);
  const sample = await sampled;
  const cpuSecondsPerGiB = sample === null ? null : sample.cpu / ((rate / 8 / GIBIBYTE) * sample.wall);
  return { bitsPerSecond: rate, cpuSecondsPerGiB };
}

async function sampleCpu(seconds: number, stack: () => number | null): Promise<{ cpu: number; wall: number } | null> {
  await sleep(2 * MARGIN_MS);
  const pid = stack();
  if (pid === null) return null;
  const [cpuBefore, before] = [cpuOf(pid), performance.now()];
  await sleep(seconds * 1000 - 4 * MARGIN_MS);
  return { cpu: cpuOf(pid) - cpuBefore, wall: (performance.now() - before) / 1000 };
}

function received(json: string): number | null {
  try {
    const report = JSON.parse(json) as { end?: { sum_received?: { bits_per_second?: number } } };
    return report.end?.sum_received?.bits_per_second ?? null;
  } catch {
    return null;
  }
}
