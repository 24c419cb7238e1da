import { output } from './process.js';

/**
 * dnsperf (Debian: `dnsperf`), the load tool of DNS servers: so many questions under way at any time, from so many sockets, and how many
 * came back. It tells single latencies only when it prints each answer, which costs it more than asking; so rate and latency are two
 * runs.
 */

const LATE_MS = 20_000;
/** Sockets, as a guest with some programs has. */
const CLIENTS = 4;
const OUTSTANDING = 100;

interface Run {
  readonly program: string;
  /** The words that bring it to where the questions come from. */
  readonly before: readonly string[];
  readonly server: string;
  /** A file with a question a line: `db A`. */
  readonly questions: string;
  readonly seconds: number;
}

export interface Rate {
  readonly perSecond: number;
  readonly lossPercent: number;
}

/** As fast as answers come back. */
export async function dnsRate(run: Run): Promise<Rate> {
  const text = await dnsperf(run, ['-q', `${OUTSTANDING}`]);
  const sent = figure(text, /Queries sent:\s+(\d+)/);
  const lost = figure(text, /Queries lost:\s+(\d+)/);
  const codes = /Response codes:\s+(.*)/.exec(text)?.[1] ?? 'none';
  if (!/^NOERROR \d+ \(100\.00%\)$/.test(codes.trim())) throw new Error(`answers: ${codes}`);
  return { perSecond: figure(text, /Queries per second:\s+([\d.]+)/), lossPercent: (lost / sent) * 100 };
}

export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** At a rate that leaves everybody time. */
export async function dnsLatency(run: Run, perSecond: number): Promise<Latency> {
  const text = await dnsperf(run, ['-Q', `${perSecond}`, '-v']);
  const latencies = [...text.matchAll(/^> \S+ .* (\d+\.\d+)$/gm)].map(([, seconds]) => Number(seconds) * 1e6);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  const [p50Us, p99Us] = [at(0.5), at(0.99)];
  if (p50Us === undefined || p99Us === undefined) throw new Error('dnsperf told no latency');
  return { p50Us, p99Us };
}

function dnsperf({ program, before, server, questions, seconds }: Run, words: readonly string[]): Promise<string> {
  const load = ['-s', server, '-d', questions, '-l', `${seconds}`, '-c', `${CLIENTS}`, '-T', '1', ...words];
  return output([...before, program, ...load], { timeoutMs: seconds * 1000 + LATE_MS });
}

function figure(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`dnsperf did not say ${pattern.source}`);
  return Number(found);
}
