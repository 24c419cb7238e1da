import type { Transport } from './ask-server.js';
import type { Asker, Askers } from './askers.js';
import type { Asked, Reply, Try } from './asking.js';
import { ReplyCache } from './cache.js';
import { isCut, type Sent } from './outcome.js';
import type { Query } from './query.js';
import { errorReply } from './reply.js';
import { examine } from './reply-facts.js';
import type { ServerList } from './servers.js';
import { neutralQuery, privateQuery, shareKey, tailor } from './share.js';
import type { Upstream } from './upstream.js';
import { FIELD, HEADER_BYTES, RCODE, readUint16, writeUint16 } from './wire.js';

/** How a forwarded question was answered. */
export interface Forwarded {
  readonly message: Uint8Array;
  readonly source: 'cache' | 'merged' | 'server' | 'nobody' | 'refused';
  /** Seconds in the cache. */
  readonly age: number | null;
  readonly tries: readonly Try[];
}

/**
 * Questions that are not ours: out of the cache, else with the same one that is on its way, else to a server.
 *
 * The bounds of the asker count for each of his questions, merged ones too. A question that comes round to us by a server that asks
 * us again meets itself on its way and ends with it: no loop grows. That holds for questions that are nobody else's, too: the same bytes
 * but for the id wait for the same reply.
 */
export class Forwarder {
  readonly cache: ReplyCache;
  readonly #upstream: Upstream;
  readonly #askers: Askers;
  readonly #onTheirWay = new Map<string, Promise<Asked>>();

  constructor(upstream: Upstream, askers: Askers, cache = new ReplyCache()) {
    this.#upstream = upstream;
    this.#askers = askers;
    this.cache = cache;
  }

  /** At once where nobody need be asked. Never rejects. @param now milliseconds, for the rate */
  forward(query: Query, { asker, id, list, transport, now }: Circumstances): Forwarded | Promise<Forwarded> {
    const shared = shareKey(query);
    const key = shared === null ? null : `${list.key} ${shared}`;
    const hit = key === null ? null : this.cache.get(key);
    if (hit !== null) {
      this.#askers.count(asker, 'cached');
      return { message: tailor(query, hit.reply, hit.age), source: 'cache', age: hit.age, tries: [] };
    }
    if (list.servers.length === 0) {
      this.#askers.count(asker, 'failed');
      return { message: errorReply(query, RCODE.SERVFAIL), source: 'nobody', age: null, tries: [] };
    }
    if (!asker.forwards.take(now) || !this.#askers.enter(asker)) {
      this.#askers.count(asker, 'refused');
      return { message: errorReply(query, RCODE.REFUSED), source: 'refused', age: null, tries: [] };
    }
    return this.#forward(query, key, { asker, id, list, transport, now }).finally(() => this.#askers.leave(asker));
  }

  async #forward(query: Query, key: string | null, { asker, id, list, transport }: Circumstances): Promise<Forwarded> {
    const sent = { message: key === null ? privateQuery(query) : neutralQuery(query), questionEnd: query.questionEnd };
    const way = `${transport} ${key ?? privateKey(list, sent.message)}`;
    const same = this.#onTheirWay.get(way);
    this.#askers.count(asker, same ? 'merged' : 'forwarded');
    const setting: Setting = { query, key, way, owner: id, list, transport };
    let asked = await (same ?? this.#set(sent, setting));
    // It failed by what its first asker has on his way: this one has a share of his own.
    if (same && asked.reply === null && asked.passing) asked = await this.#set(sent, setting);
    const { reply, tries } = asked;
    if (reply === null) return this.#nobody(query, asker, tries);
    const message = key === null ? asItCame(query, reply) : tailor(query, reply, null);
    return { message, source: same ? 'merged' : 'server', age: null, tries };
  }

  /** Sets a question on its way; what comes back is for everybody who asks it meanwhile. */
  #set(sent: Sent, { query, key, way, owner, list, transport }: Setting): Promise<Asked> {
    const asking = this.#upstream
      .ask(sent, list.servers, { transport, asker: owner })
      .then((asked) => (key === null ? asked : this.#keep(asked, key, owner, query)));
    this.#onTheirWay.set(way, asking);
    return asking.finally(() => {
      if (this.#onTheirWay.get(way) === asking) this.#onTheirWay.delete(way);
    });
  }

  /** In the form for everybody, for the cache. */
  #keep(asked: Asked, key: string, owner: string, query: Query): Asked {
    if (asked.reply === null) {
      if (!asked.passing) this.#keepFailure(key, owner, query);
      return asked;
    }
    const { facts, message: whole } = asked.reply;
    // Out of the buffer that it came in, without what only this hop should see.
    const message = Uint8Array.from(whole.subarray(0, facts.end));
    writeUint16(message, FIELD.ADDITIONALS, facts.additionals);
    if (!isCut(message)) this.cache.put(key, owner, message, facts);
    return { ...asked, reply: { message, facts } };
  }

  #nobody(query: Query, asker: Asker, tries: readonly Try[]): Forwarded {
    this.#askers.count(asker, 'failed');
    return { message: errorReply(query, RCODE.SERVFAIL), source: 'nobody', age: null, tries };
  }

  /** That nobody answers is worth knowing for a second, too. */
  #keepFailure(key: string, owner: string, query: Query): void {
    const message = errorReply({ ...query, edns: null }, RCODE.SERVFAIL);
    const facts = examine(message);
    if (facts !== null) this.cache.put(key, owner, message, facts);
  }
}

export interface Circumstances {
  readonly asker: Asker;
  /** The asking container. */
  readonly id: string;
  readonly list: ServerList;
  readonly transport: Transport;
  /** Milliseconds that never go back. */
  readonly now: number;
}

interface Setting {
  readonly query: Query;
  /** null: nobody else's. */
  readonly key: string | null;
  readonly way: string;
  readonly owner: string;
  readonly list: ServerList;
  readonly transport: Transport;
}

/** Equal for the same bytes but for the id. No key of a question that may be shared is like it: those begin with an address. */
function privateKey(list: ServerList, message: Uint8Array): string {
  return `private ${list.key} ${Buffer.from(message.subarray(FIELD.FLAGS)).toString('latin1')}`;
}

/** The bytes of the reply, with the asker's id and letter case. An OPT record is for those who sent one: we may have. */
function asItCame(query: Query, { message, facts }: Reply): Uint8Array {
  const isPlain = readUint16(query.bytes, FIELD.ADDITIONALS) === 0;
  const out = Uint8Array.from(message.subarray(0, isPlain ? facts.end : facts.wholeEnd));
  if (isPlain) writeUint16(out, FIELD.ADDITIONALS, facts.additionals);
  writeUint16(out, FIELD.ID, query.id);
  out.set(query.bytes.subarray(HEADER_BYTES, query.questionEnd), HEADER_BYTES);
  return out;
}
