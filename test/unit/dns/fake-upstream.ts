import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { encode, type Packet } from 'dns-packet';

type Replies = Uint8Array | readonly Uint8Array[] | null;
export type Behaviour = (question: Buffer, transport: 'udp' | 'tcp') => Replies | Promise<Replies>;

export interface FakeUpstream {
  readonly address: string;
  readonly port: number;
  /** One entry a question that came in, by transport. */
  readonly asked: { readonly transport: 'udp' | 'tcp'; readonly bytes: Buffer; readonly fromPort: number }[];
  close(): Promise<void>;
}

/** A DNS server of a few lines on one loopback address, by UDP and TCP on one port, that answers as the test says. */
export async function fakeUpstream(address: string, port: number, behave: Behaviour): Promise<FakeUpstream> {
  const asked: FakeUpstream['asked'] = [];
  const udp = createSocket('udp4');
  let open = true;
  udp.on('message', async (bytes, from) => {
    asked.push({ transport: 'udp', bytes, fromPort: from.port });
    for (const reply of listOf(await behave(bytes, 'udp'))) if (open) udp.send(reply, from.port, from.address);
  });
  await new Promise<void>((done) => udp.bind(port, address, done));
  const bound = udp.address().port;
  const tcp = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', async (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return;
      const bytes = received.subarray(2);
      asked.push({ transport: 'tcp', bytes, fromPort: socket.remotePort ?? 0 });
      for (const reply of listOf(await behave(bytes, 'tcp'))) sendSlowly(socket, reply);
    });
  });
  await new Promise<void>((done) => tcp.listen(bound, address, done));
  const close = async (): Promise<void> => {
    open = false;
    await closeBoth(udp, tcp);
  };
  return { address, port: bound, asked, close };
}

/** In two pieces that part the length prefix: a reader that trusts one chunk to be one message fails. */
function sendSlowly(socket: { write(data: Uint8Array): boolean }, reply: Uint8Array): void {
  const framed = Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 0xff]), reply]);
  socket.write(framed.subarray(0, 1));
  setTimeout(() => socket.write(framed.subarray(1)), 5);
}

function listOf(replies: Replies): readonly Uint8Array[] {
  if (replies === null) return [];
  return replies instanceof Uint8Array ? [replies] : replies;
}

async function closeBoth(udp: Socket, tcp: Server): Promise<void> {
  await new Promise<void>((done) => udp.close(done));
  await new Promise<void>((done) => tcp.close(() => done()));
}

export function replyTo(question: Buffer, data: string, { count = 1, flags = 0x0180 } = {}): Buffer {
  const packet: Packet = {
    type: 'response',
    id: question.readUInt16BE(),
    flags,
    questions: [{ type: 'A', name: 'outside.example' }],
    answers: Array.from({ length: count }, () => ({ type: 'A' as const, name: 'outside.example', ttl: 60, data })),
  };
  return encode(packet);
}

/** The question sent back with one address. */
export function answerTo(question: Buffer, address: string): Buffer {
  const record = Buffer.from('c00c000100010000003c0004', 'hex');
  const reply = Buffer.concat([question, record, Buffer.from(address.split('.').map(Number))]);
  reply.writeUInt16BE(0x8180, 2);
  reply.writeUInt16BE(1, 6);
  return reply;
}

/** The question sent back with an error code and nothing else. */
export function errorTo(question: Buffer, rcode: number): Buffer {
  const reply = Buffer.from(question);
  reply.writeUInt16BE(0x8180 | rcode, 2);
  return reply;
}
