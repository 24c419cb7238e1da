import type { DnsExplanation } from '../model/dns-report.js';
import { admit } from './admit.js';
import type { Forwarded } from './forwarder.js';
import type { Query } from './query.js';
import { buildQuestion, parseType, typeName } from './question-text.js';
import { showRecords } from './records.js';
import { MAX_UDP_REPLY_BYTES } from './reply.js';
import { examine } from './reply-facts.js';
import type { Decision } from './resolver.js';
import { rcodeName } from './upstream.js';
import { FIELD, FLAG, readUint16 } from './wire.js';

type Resolver = (query: Query) => Promise<[Decision, Forwarded | Uint8Array]>;

/** @throws UnetError INVALID for what cannot be asked */
export async function explain({ name, type }: { name: string; type: string }, ask: Resolver): Promise<DnsExplanation> {
  const number = parseType(type);
  const admission = admit(buildQuestion(name, number, MAX_UDP_REPLY_BYTES));
  if (admission.kind !== 'query') throw new Error('a question of our own was not admitted');
  const [decision, result] = await ask(admission.query);
  const message = result instanceof Uint8Array ? result : result.message;
  return {
    name,
    type: typeName(number),
    ...describe(decision, result),
    rcode: rcodeName(examine(message)?.rcode ?? readUint16(message, FIELD.FLAGS) & FLAG.RCODE),
    answers: showRecords(message),
  };
}

type Described = Omit<DnsExplanation, 'name' | 'type' | 'rcode' | 'answers'>;

function describe(decision: Decision, result: Forwarded | Uint8Array): Described {
  const plain: Described = { source: 'local', rule: null, owners: [], down: false, suffix: null, age: null, tries: [] };
  if (decision.kind === 'local') {
    const { local, suffix } = decision;
    const owners = local.owners.map((owner) => owner.name);
    return { ...plain, rule: local.rule, owners, down: local.addresses.length === 0, suffix };
  }
  if (result instanceof Uint8Array) return { ...plain, source: 'reverse' };
  const tries = result.tries.map(({ server, result: outcome, took }) => {
    return { server: server.address, origin: server.origin, result: outcome, milliseconds: Math.round(took) };
  });
  return { ...plain, source: result.source, age: result.age, tries };
}
