import { type AskInside, InsideAsker } from './ask-inside.js';
import { TcpAsker } from './ask-tcp.js';
import { firstOf } from './first-of.js';
import { type Ask, isCut, type Outcome, type Sent } from './outcome.js';
import { Over } from './over.js';
import type { Server } from './servers.js';
import { UdpDoors } from './udp-doors.js';

/**
 * One question to one server, by the ways that there are to it.
 *
 * For a client that came by UDP: by UDP, and a cut reply is fetched whole by TCP. For one that came by TCP: by TCP, and by UDP beside it when
 * that brings nothing soon, since networks that let only datagrams to port 53 through swallow the rest without a word.
 */

/** How long TCP is waited for alone. */
const UDP_AFTER_MS = 500;
/** From the start of a try, until when the whole of a cut reply is waited for: a client without TCP is served with what is left of it, before another server's turn comes. */
const WHOLE_BY_MS = 1800;

export type Transport = 'udp' | 'tcp';

export type Limits = Pick<Ask, 'asker' | 'timeoutMs' | 'over'>;

export class ServerAsker {
  readonly #udp = new UdpDoors();
  readonly #tcp = new TcpAsker();
  readonly #inside: InsideAsker;
  readonly #port: number;

  constructor(port: number, askInside?: AskInside) {
    this.#port = port;
    this.#inside = new InsideAsker(askInside);
  }

  ask(sent: Sent, server: Server, transport: Transport, limits: Limits): Promise<Outcome> {
    const ask: Ask = { ...limits, server: server.address, port: this.#port };
    if (server.inside) return this.#inside.ask(sent, ask);
    return transport === 'tcp' ? this.#askByTcp(sent, ask) : this.#askByUdp(sent, ask);
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }

  async #askByUdp(sent: Sent, ask: Ask): Promise<Outcome> {
    const rest = countdown(Math.min(WHOLE_BY_MS, ask.timeoutMs));
    const byUdp = await this.#udp.ask(sent, ask);
    if (byUdp.kind !== 'reply' || !isCut(byUdp.message) || rest() <= 0) return byUdp;
    const whole = await this.#tcp.ask(sent, { ...ask, timeoutMs: rest() });
    return whole.kind === 'reply' ? whole : byUdp;
  }

  async #askByTcp(sent: Sent, ask: Ask): Promise<Outcome> {
    const rest = countdown(ask.timeoutMs);
    const over = new Over();
    ask.over?.onEnd(() => over.end());
    const byTcp = this.#tcp.ask(sent, { ...ask, over });
    const soon = await firstOf([byTcp], Math.min(UDP_AFTER_MS, ask.timeoutMs));
    if (soon !== null && isWhole(soon)) return soon;
    const byUdp = this.#udp.ask(sent, { ...ask, timeoutMs: rest(), over });
    const whole = await firstWhole([byUdp, byTcp]);
    over.end();
    if (whole !== null) return whole;
    // There is no more to be had by UDP: a place for TCP is worth waiting for.
    const tcp = await byTcp;
    return tcp.kind === 'failed' && tcp.ours ? tcp : byUdp;
  }
}

/** What is left of its time. */
function countdown(timeoutMs: number): () => number {
  const end = performance.now() + timeoutMs;
  return () => Math.max(0, end - performance.now());
}

function isWhole(outcome: Outcome): boolean {
  return outcome.kind === 'reply' && !isCut(outcome.message);
}

/** The first of two that is a reply with nothing cut off; null: neither. */
async function firstWhole(pair: readonly [Promise<Outcome>, Promise<Outcome>]): Promise<Outcome | null> {
  const first = await Promise.race(pair);
  if (isWhole(first)) return first;
  return (await Promise.all(pair)).find(isWhole) ?? null;
}
