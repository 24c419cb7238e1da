import { setTimeout as sleep } from 'node:timers/promises';
import { LoadProcess, LoadServer, loadProgram } from '../measure/load.js';
import { anonymousBytes, openFilesLimit } from '../measure/memory.js';
import { BYTES_PER_FLOW, type Metric, PER_SECOND } from '../measure/metrics.js';
import { interleave, pickOne, type Sample, valuesOf } from '../measure/rounds.js';
import { judge } from '../measure/verdict.js';
import { UnetDaemon } from '../peers/unet-daemon.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_241;
const FLOWS = 10_000;
/** A guest may have a quarter of what the daemon can hold; several together fill it. */
const GUESTS = 4;
/** Descriptors that the daemon keeps for itself, and some for good measure. */
const RESERVED = 1200;
const OPEN_MS = 60_000;
/** Until allocators and timers have come to rest. */
const SETTLE_MS = 1500;

/** Memory scatters less than time. */
const MOST_ROUNDS = 3;
const roundsOf = ({ rounds }: Context) => Math.min(rounds, MOST_ROUNDS);

const ALIVE: Metric = { id: 'alive', title: 'alive at the end', unit: 'connections', digits: 0 };
/** What it needs for itself is in it: Node.js before all. */
const DAEMON: Metric = { id: 'daemonMiB', title: 'the daemon with all of them', unit: 'MiB', digits: 1 };
const RATE: Metric = { ...PER_SECOND, title: 'opened' };

/** Ten thousand connections that do nothing. */
export const manyFlows: Scenario = {
  name: 'many-flows',
  about: `${FLOWS} idle TCP connections from ${GUESTS} guests to the host’s loopback, held and then used once more: memory of the daemon for each, by unet-load`,
  metrics: [BYTES_PER_FLOW, DAEMON, RATE, ALIVE],
  inQuick: false,
  estimateSeconds: (context) => roundsOf(context) * (context.seconds + 10),
  async run(context): Promise<Outcome> {
    const limit = openFilesLimit();
    const series = await interleave([{ path: 'unet', mtu: 1500, variant: VARIANT, measure }], {
      ...context,
      rounds: roundsOf(context),
    });
    const ours = pickOne(series, { path: 'unet' });
    const held = { id: 'alive', what: `${FLOWS} flows held`, atLeast: FLOWS, unit: 'alive at the end' };
    const memory = { id: 'memory', what: VARIANT, atMost: 4096, unit: 'bytes each in the daemon' };
    return {
      series,
      verdicts: [
        judge(memory, ours && valuesOf(ours, BYTES_PER_FLOW.id)),
        judge(held, ours && valuesOf(ours, ALIVE.id)),
      ],
      notes: [
        `The limit of open files was ${limit}. Memory is anonymous memory of the daemon’s process, all of its parts together; a fresh daemon each round.`,
      ],
    };

    function measure(): Promise<Sample> {
      if (limit < FLOWS + RESERVED) {
        const why = `the hard limit of open files is ${limit}, and ${FLOWS} flows need ${FLOWS + RESERVED}`;
        return Promise.reject(new Error(`${why}: raise it (ulimit -Hn)`));
      }
      return withDaemon(context, holdFlows);
    }
  },
};

const VARIANT = `${FLOWS} idle flows`;

interface Held {
  readonly daemon: number;
  readonly clients: readonly LoadProcess[];
}

async function withDaemon<T>(context: Context, body: (held: Held, context: Context) => Promise<T>): Promise<T> {
  const { root } = context;
  const server = new LoadServer({ root, before: [], kind: 'hold-server', address: '127.0.0.1', port: PORT });
  const daemon = new UnetDaemon(root);
  const clients: LoadProcess[] = [];
  try {
    await server.start();
    for (let n = 0; n < GUESTS; n++) {
      const { inside } = await daemon.guest({ name: `guest${n}`, mtu: 1500 });
      const { network } = await daemon.facts();
      const words = ['hold-client', `${network.gateway}:${PORT}`, '--flows', `${FLOWS / GUESTS}`, '--wait'];
      const client = new LoadProcess([...inside, loadProgram(root), ...words]);
      clients.push(client);
      await client.line(OPEN_MS);
    }
    const { pid } = await daemon.facts();
    return await body({ daemon: pid, clients }, context);
  } finally {
    for (const client of clients) await client.end();
    await daemon.close();
    await server.end();
  }
}

interface Opened {
  readonly open: number;
  readonly firstError: string | null;
}

interface Kept {
  readonly alive: number;
}

async function holdFlows({ daemon, clients }: Held, { seconds }: Context): Promise<Sample> {
  await sleep(SETTLE_MS);
  const before = anonymousBytes(daemon);
  const start = performance.now();
  for (const client of clients) client.write('open');
  const opened = await Promise.all(clients.map((client) => answer<Opened>(client)));
  const perSecond = FLOWS / ((performance.now() - start) / 1000);
  const open = opened.reduce((sum, one) => sum + one.open, 0);
  if (open < FLOWS) {
    const why = opened.map(({ firstError }) => firstError).find((error) => error !== null);
    throw new Error(`only ${open} of ${FLOWS} connections opened: ${why ?? 'the others never answered'}`);
  }
  await sleep(SETTLE_MS);
  const after = anonymousBytes(daemon);
  await sleep(seconds * 1000);
  for (const client of clients) client.endInput();
  const kept = await Promise.all(clients.map((client) => answer<Kept>(client)));
  const bytesPerFlow = (after - before) / FLOWS;
  const daemonMiB = after / 1024 ** 2;
  return { bytesPerFlow, daemonMiB, perSecond, alive: kept.reduce((sum, one) => sum + one.alive, 0) };
}

async function answer<T>(client: LoadProcess): Promise<T> {
  return JSON.parse(await client.line(OPEN_MS)) as T;
}
