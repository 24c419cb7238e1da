import type { Path } from '../peers/peer.js';
import { cpuSecondsOf } from './cpu.js';
import { type Background, lastLine, runToEnd, startBackground, untilReady } from './process.js';

/**
 * iperf3, the tool for bulk: a server outside (or inside, for published ports) and a client at the other end.
 *
 * Limit: Debian 12's 3.12 serves parallel streams (`-P`) from one thread, so that with several of them sender and receiver each stay on one
 * core. That is no ceiling at MTU 1500 here; it holds for loopback and every stack alike.
 */

const GIBIBYTE = 1024 ** 3;
/** For the start, the farewell and a path that stalls. */
const LATE_MS = 20_000;

/** A server that is there for a whole scenario. */
export class IperfServer {
  readonly #argv: readonly string[];
  #running: Background | null = null;

  /** `before`: the words that bring it to where it shall listen. */
  constructor(before: readonly string[], address: string | null, port: number) {
    const bind = address === null ? [] : ['-B', address];
    this.#argv = [...before, 'iperf3', '-s', ...bind, '-p', String(port), '--forceflush'];
  }

  /** Starts it when it does not run. */
  async start(): Promise<void> {
    if (this.#running?.alive()) return;
    const server = await startBackground(this.#argv);
    await untilReady('iperf3 -s', server, () => (server.output().includes('listening') ? true : null)).catch(
      async (error: unknown) => {
        await server.end();
        throw error;
      },
    );
    this.#running = server;
  }

  /** A test that was broken off may leave it busy: the next one gets a fresh one. */
  async end(): Promise<void> {
    await this.#running?.end();
    this.#running = null;
  }
}

interface Bulk {
  /** The words that bring the client to where it shall run. */
  readonly before: readonly string[];
  readonly server: IperfServer;
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
  /** The server sends. */
  readonly reverse?: boolean;
  readonly streams?: number;
  /** Seconds at the start that do not count: slow start over a long way. */
  readonly omit?: number;
  /** Of both ends; the default of each otherwise. */
  readonly congestion?: string;
  /** Whose CPU time counts. */
  readonly processes: Path['processes'];
}

/** `gbps` as it arrived; `cpuPerGiB` where a process is the stack; `fairness` with several streams. */
export async function measureBulk(bulk: Bulk): Promise<Record<string, number>> {
  const { bitsPerSecond, bytes, streams, cpuSeconds } = await runBulk(bulk);
  return {
    gbps: bitsPerSecond / 1e9,
    // With a part left out the bytes of the whole are not known.
    ...(bulk.processes.length > 0 && !bulk.omit && { cpuPerGiB: cpuSeconds / (bytes / GIBIBYTE) }),
    ...(streams.length > 1 && { fairness: Math.min(...streams) / Math.max(...streams) }),
  };
}

interface Transfer {
  /** As the receiver saw it. */
  readonly bitsPerSecond: number;
  readonly bytes: number;
  /** Bits per second of each stream. */
  readonly streams: readonly number[];
  /** Of the stack's processes, from before the client's start to its end. */
  readonly cpuSeconds: number;
}

/** @throws Error in iperf3's own words when it did not work */
export async function runBulk(bulk: Bulk): Promise<Transfer> {
  const {
    before,
    server,
    address,
    port,
    seconds,
    reverse = false,
    streams = 1,
    omit = 0,
    congestion,
    processes,
  } = bulk;
  const argv = [...before, 'iperf3', '-c', address, '-p', `${port}`, '-t', `${seconds}`, '-P', `${streams}`, '-J'];
  if (reverse) argv.push('-R');
  if (omit > 0) argv.push('-O', `${omit}`);
  if (congestion !== undefined) argv.push('-C', congestion);
  await server.start();
  const cpuBefore = cpuSecondsOf(processes);
  const { stdout, stderr } = await runToEnd(argv, { timeoutMs: (seconds + omit) * 1000 + LATE_MS });
  const cpuSeconds = cpuSecondsOf(processes) - cpuBefore;
  // iperf3 3.12 keeps a client's choice for those who come after it.
  if (congestion !== undefined) await server.end();
  const report = parse(stdout);
  if (report === null) {
    await server.end();
    throw new Error(`iperf3: ${errorIn(stdout) ?? lastLine(stderr || stdout)}`);
  }
  const rates = report.streams.map((stream) => stream.receiver.bits_per_second);
  return { bitsPerSecond: report.sum.bits_per_second, bytes: report.sum.bytes, streams: rates, cpuSeconds };
}

interface Sum {
  readonly bits_per_second: number;
  readonly bytes: number;
}

function parse(json: string): { sum: Sum; streams: { receiver: Sum }[] } | null {
  try {
    const { end } = JSON.parse(json) as { end?: { sum_received?: Sum; streams?: { receiver: Sum }[] } };
    if (!end?.sum_received || !end.streams || !(end.sum_received.bits_per_second > 0)) return null;
    return { sum: end.sum_received, streams: end.streams };
  } catch {
    return null;
  }
}

function errorIn(json: string): string | null {
  try {
    return (JSON.parse(json) as { error?: string }).error ?? null;
  } catch {
    return null;
  }
}
