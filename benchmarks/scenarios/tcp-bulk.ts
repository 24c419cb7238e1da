import { clientArgv, type Direction, type Measurement, measure, startServer } from '../measure/iperf.js';
import { spread } from '../measure/statistics.js';
import { loopback } from '../peers/loopback.js';
import { pasta } from '../peers/pasta.js';
import type { Peer } from '../peers/peer.js';
import { slirp4netns } from '../peers/slirp4netns.js';
import { unet } from '../peers/unet.js';
import type { Row } from '../report.js';
import type { Settings } from './scenario.js';

const PORT = 15_201;
const DIRECTIONS: readonly Direction[] = ['guest → host', 'host → guest'];

interface Case {
  readonly peer: Peer;
  readonly mtu: number | null;
  readonly direction: Direction;
  readonly rounds: Measurement[];
}

/**
 * One TCP stream by iperf3, each way, through every stack in turn, round by round: what drifts on the machine drifts for all.
 * Ratios are taken inside a round, against kernel loopback in the same direction.
 */
export async function tcpBulk({ root, rounds, seconds, progress }: Settings): Promise<Row[]> {
  const peers = [loopback, unet(root), pasta(), slirp4netns()].filter((peer) => peer !== null);
  const cases: Case[] = peers.flatMap((peer) =>
    peer.mtus.flatMap((mtu) => DIRECTIONS.map((direction) => ({ peer, mtu, direction, rounds: [] }))),
  );
  const server = await startServer(PORT);
  try {
    for (const peer of peers) await peer.open?.();
    for (let round = 1; round <= rounds; round++) {
      for (const one of cases) {
        const result = await runCase(one, seconds);
        one.rounds.push(result);
        progress(`round ${round}/${rounds}  ${label(one)}  ${(result.bitsPerSecond / 1e9).toFixed(2)} Gbit/s`);
      }
    }
  } finally {
    for (const peer of peers) await peer.close?.();
    server.kill();
  }
  return cases.map((one) => row(one, cases));
}

function runCase({ peer, mtu, direction }: Case, seconds: number): Promise<Measurement> {
  const client = clientArgv(peer.server, PORT, direction, seconds);
  return measure(peer.wrap(client, mtu, PORT), seconds, () => peer.stack());
}

function label({ peer, mtu, direction }: Case): string {
  return `${peer.name}${mtu === null ? '' : ` at ${mtu}`}, ${direction}`;
}

function row(one: Case, cases: readonly Case[]): Row {
  const ceiling = cases.find(({ peer, direction }) => peer === loopback && direction === one.direction);
  const ratios = one.rounds.map(
    (result, n) => result.bitsPerSecond / (ceiling?.rounds[n]?.bitsPerSecond ?? Number.NaN),
  );
  const cpu = one.rounds.map((result) => result.cpuSecondsPerGiB).filter((value) => value !== null);
  return {
    path: one.peer.name,
    mtu: one.mtu,
    direction: one.direction,
    gigabitsPerSecond: spread(one.rounds.map((result) => result.bitsPerSecond / 1e9)),
    ofLoopback: spread(ratios),
    cpuSecondsPerGiB: cpu.length === 0 ? null : spread(cpu),
  };
}
