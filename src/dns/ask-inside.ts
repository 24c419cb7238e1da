import { randomInt } from 'node:crypto';
import { firstOf } from './first-of.js';
import {
  type Ask,
  isCut,
  NO_ANSWER,
  NO_DESCRIPTOR,
  OTHER_ANSWER,
  type Outcome,
  readReply,
  type Sent,
} from './outcome.js';
import { Places } from './places.js';
import type { Edns } from './query.js';
import { MAX_UDP_REPLY_BYTES, OPT_BYTES, putOpt } from './reply.js';
import { FIELD, FLAG, readUint16, writeUint16 } from './wire.js';

/**
 * Puts one message to the DNS server at an address of a container network, from the gateway; null: no answer comes. By UDP alone.
 */
export type AskInside = (address: string, message: Uint8Array) => Promise<Uint8Array | null>;

/** Questions on their way that the engine has room for (native/engine/src/limits.rs): its refusal would look like one of the server's. */
export const INSIDE_BOUNDS = { total: 1024, perServer: 256 } as const;
const IDS = 0x1_0000;
const NO_WAY: Outcome = {
  kind: 'failed',
  reason: "it stands in the container's own network, and there is no way to it",
};
const PLAIN_EDNS: Edns = { udpSize: MAX_UDP_REPLY_BYTES, version: 0, dnssecOk: false, udpSizeOffset: 0 };
/** The engine says early that there will be no answer. */
const NOBODY: Outcome = { kind: 'failed', reason: 'refused, or nobody has its address' };

/**
 * Questions to servers in guests, through the network that they share with the asker. The engine lets in what comes from that address and
 * port; id and question are looked at here. Its room is shared out here among those who ask, and a place is kept until the engine has
 * done with the question, which may be after its asker.
 *
 * There is no TCP on this way. Where a reply was cut to the 512 bytes of a question without EDNS, the question is put again with EDNS; only
 * then, as a small server in a guest may never have seen that.
 *
 * Limit: an answer of more than 1232 bytes cannot be had from such a server. By UDP its beginning is passed on; by TCP it is SERVFAIL.
 */
export class InsideAsker {
  readonly #ask: AskInside | undefined;
  readonly #places = new Places(INSIDE_BOUNDS);

  constructor(ask: AskInside | undefined) {
    this.#ask = ask;
  }

  async ask(sent: Sent, ask: Ask): Promise<Outcome> {
    const end = performance.now() + ask.timeoutMs;
    const first = await this.#askOnce(sent, ask);
    if (first.kind !== 'reply' || !isCut(first.message) || readUint16(sent.message, FIELD.ADDITIONALS) > 0)
      return first;
    const left = end - performance.now();
    if (left <= 0 || ask.over?.isOver) return first;
    const larger = await this.#askOnce(withEdns(sent), { ...ask, timeoutMs: left });
    return larger.kind === 'reply' && rcodeOf(larger.message) === rcodeOf(first.message) ? larger : first;
  }

  async #askOnce(sent: Sent, { server: address, asker, timeoutMs }: Ask): Promise<Outcome> {
    if (this.#ask === undefined) return NO_WAY;
    if (!this.#places.take(address, asker)) return NO_DESCRIPTOR;
    const id = randomInt(IDS);
    const message = Uint8Array.from(sent.message);
    writeUint16(message, FIELD.ID, id);
    const asked = this.#ask(address, message)
      .catch(() => null)
      .then((reply) => {
        this.#places.leave(address, asker);
        return reply === null ? NOBODY : (readReply(sent, id, reply) ?? OTHER_ANSWER);
      });
    return (await firstOf([asked], timeoutMs)) ?? NO_ANSWER;
  }
}

/** The same question, and that datagrams of a size that travels anywhere are welcome. */
function withEdns({ message, questionEnd }: Sent): Sent {
  const larger = new Uint8Array(questionEnd + OPT_BYTES);
  larger.set(message.subarray(0, questionEnd));
  putOpt(larger, questionEnd, { edns: PLAIN_EDNS }, 0);
  return { message: larger, questionEnd };
}

function rcodeOf(message: Uint8Array): number {
  return readUint16(message, FIELD.FLAGS) & FLAG.RCODE;
}
