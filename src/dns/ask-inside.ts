import { randomInt } from 'node:crypto';
import { NO_ANSWER, OTHER_ANSWER, type Outcome, readReply, type Sent } from './outcome.js';
import { FIELD, writeUint16 } from './wire.js';

/**
 * Puts one message to the DNS server at an address of a container network, from the gateway; null: no answer comes. By UDP alone.
 */
export type AskInside = (address: string, message: Uint8Array) => Promise<Uint8Array | null>;

const IDS = 0x1_0000;
const NO_WAY: Outcome = {
  kind: 'failed',
  reason: "it stands in the container's own network, and there is no way to it",
};
/** The engine says early that there will be no answer. */
const NOBODY: Outcome = { kind: 'failed', reason: 'refused, or nobody has its address' };

/**
 * Questions to servers in guests, through the network that they share with the asker. The engine bounds them, and lets in
 * what comes from that address and port; id and question are looked at here. A cut reply stays cut: there is no TCP on this way.
 */
export class InsideAsker {
  readonly #ask: AskInside | undefined;

  constructor(ask: AskInside | undefined) {
    this.#ask = ask;
  }

  async ask(sent: Sent, address: string, timeoutMs: number): Promise<Outcome> {
    if (this.#ask === undefined) return NO_WAY;
    const id = randomInt(IDS);
    const message = Uint8Array.from(sent.message);
    writeUint16(message, FIELD.ID, id);
    const asked = this.#ask(address, message).catch(() => null);
    const reply = await withDeadline(asked, timeoutMs);
    if (reply === LATE) return NO_ANSWER;
    if (reply === null) return NOBODY;
    return readReply(sent, id, reply) ?? OTHER_ANSWER;
  }
}

const LATE = Symbol('late');

async function withDeadline<T>(promise: Promise<T>, timeoutMs: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), timeoutMs);
  });
  const first = await Promise.race([promise, late]);
  clearTimeout(timer);
  return first;
}
