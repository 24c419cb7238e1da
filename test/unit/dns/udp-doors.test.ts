import { createSocket } from 'node:dgram';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Outcome, Sent } from '../../../src/dns/outcome.js';
import { Over } from '../../../src/dns/over.js';
import { MAX_SOCKETS, UdpDoors } from '../../../src/dns/udp-doors.js';
import { admitted, question } from './questions.js';

/** The next ids, for as long as there are some: a free one is guessed. */
const ids: number[] = [];
vi.mock('node:crypto', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:crypto')>();
  const randomInt = (max: number) => (max === 0x1_0000 ? (ids.shift() ?? real.randomInt(max)) : 0);
  return { ...real, randomInt };
});

const SERVER = '127.0.0.81';
const server = createSocket('udp4');
let doors: UdpDoors;
beforeEach(async () => {
  doors = new UdpDoors();
  // Echoes with QR, a question about `now` only.
  server.on('message', (bytes, from) => {
    if (!bytes.includes('now')) return;
    const reply = Buffer.from(bytes);
    reply[2] = (reply[2] ?? 0) | 0x80;
    server.send(reply, from.port, from.address);
  });
  await new Promise<void>((done) => server.bind(0, SERVER, done));
});
afterEach(() => {
  doors.close();
  server.close();
});

it('the end of one question is not the end of another that has its id since', async () => {
  const sent = (name: string): Sent => {
    const query = admitted(question(name));
    return { message: query.bytes, questionEnd: query.questionEnd };
  };
  const ask = (name: string, over?: Over): Promise<Outcome> =>
    doors.ask(sent(name), {
      ...{ server: SERVER, asker: 'a', port: server.address().port, timeoutMs: 3000 },
      ...(over && { over }),
    });
  // So many that the next ones share a socket, which stays open.
  const silent = Array.from({ length: MAX_SOCKETS }, () => ask('silent.example'));
  const over = new Over();
  ids.push(7);
  expect(await ask('now.example', over)).toMatchObject({ kind: 'reply' });
  ids.push(7);
  const second = ask('now.example');
  over.end();
  expect(await second).toMatchObject({ kind: 'reply' });
  doors.close();
  await Promise.all(silent);
});
