import { randomInt } from 'node:crypto';
import { firstOf } from './first-of.js';
import { type Ask, NO_ANSWER, NO_DESCRIPTOR, OTHER_ANSWER, type Outcome, readReply, type Sent } from './outcome.js';
import { Places } from './places.js';
import { FIELD, writeUint16 } from './wire.js';

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
/** The engine says early that there will be no answer. */
const NOBODY: Outcome = { kind: 'failed', reason: 'refused, or nobody has its address' };

/**
 * Questions to servers in guests, through the network that they share with the asker. The engine lets in what comes from that address and
 * port; id and question are looked at here. Its room is shared out here among those who ask, and a place is kept until the engine has
 * done with the question, which may be after its asker. A cut reply stays cut: there is no TCP on this way.
 */
export class InsideAsker {
  readonly #ask: AskInside | undefined;
  readonly #places = new Places(INSIDE_BOUNDS);

  constructor(ask: AskInside | undefined) {
    this.#ask = ask;
  }

  async ask(sent: Sent, { server: address, asker, timeoutMs }: Ask): Promise<Outcome> {
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
