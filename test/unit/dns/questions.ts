import { decode, encode, type Packet, type RecordType } from 'dns-packet';
import { admit } from '../../../src/dns/admit.js';
import type { Query } from '../../../src/dns/query.js';

interface QuestionOptions {
  readonly type?: RecordType;
  readonly id?: number;
  readonly udpSize?: number;
}

/** A question as a client's library builds it. */
export function question(name: string, { type = 'A', id = 0x1234, udpSize }: QuestionOptions = {}): Buffer {
  const packet: Packet = { type: 'query', id, flags: 0x0100, questions: [{ type, name }] };
  if (udpSize !== undefined) {
    packet.additionals = [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: udpSize,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ];
  }
  return encode(packet);
}

export function admitted(bytes: Uint8Array): Query {
  const admission = admit(bytes);
  if (admission.kind !== 'query') throw new Error(`not admitted: ${admission.kind}`);
  return admission.query;
}

/** What the other side reads: the library's own decoder is the oracle. */
export function read(message: Uint8Array) {
  const packet = decode(Buffer.from(message));
  return {
    id: packet.id,
    rcode: message[3] !== undefined ? message[3] & 0x0f : -1,
    tc: packet.flag_tc,
    aa: packet.flag_aa,
    name: packet.questions?.[0]?.name,
    answers: (packet.answers ?? []).map((answer) => ({
      type: answer.type,
      name: answer.name,
      ttl: 'ttl' in answer ? answer.ttl : undefined,
      data: 'data' in answer ? answer.data : undefined,
    })),
    opts: (packet.additionals ?? []).filter((record) => record.type === 'OPT').length,
  };
}
