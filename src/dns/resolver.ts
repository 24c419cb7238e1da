import type { NameRule } from '../model/dns-report.js';
import { addressReply, nameErrorReply, pointerReply } from './answer.js';
import type { Query } from './query.js';
import { plainName, reverseText } from './question-name.js';
import { errorReply } from './reply.js';
import { isOneAddress, parseReverseName } from './reverse-name.js';
import { shuffled } from './shuffle.js';
import { CLASS_ANY, CLASS_IN, RCODE } from './wire.js';

/** A name of ours. */
export interface LocalName {
  readonly rule: NameRule;
  /** Whose it is, by name. */
  readonly owners: readonly { readonly name: string }[];
  /** Of those that are up; empty: all of them are down. */
  readonly addresses: readonly string[];
}

/** What the daemon knows of names, asked anew for every question: there is nothing to invalidate. */
export interface Zone {
  /** A name as `asker` (a container id) sees it, in lower case without a trailing dot; null: not ours. */
  readonly lookup: (asker: string, name: string) => LocalName | null;
  /** The name of an address; null: within our subnets, but nobody's; undefined: not ours. */
  readonly reverse: (address: string) => string | null | undefined;
  /** Whether a block of addresses lies within our subnets. */
  readonly owns: (address: string, prefixLength: number) => boolean;
  /** The search domains that the asker's resolv.conf names. */
  readonly search: (asker: string) => readonly string[];
}

export type Decision =
  /** `suffix`: the search domain that was taken off to find it. Without addresses: NXDOMAIN. */
  | { readonly kind: 'local'; readonly local: LocalName; readonly name: string; readonly suffix: string | null }
  /** One address of ours; null: nobody's. */
  | { readonly kind: 'reverse'; readonly target: string | null }
  /** A name in the reverse tree of our subnets that is no address: `empty` when addresses may stand below it. */
  | { readonly kind: 'reverse-tree'; readonly empty: boolean }
  /** Ours, asked in a class in which we have nothing. */
  | { readonly kind: 'other-class' }
  | { readonly kind: 'forward' };

const FORWARD: Decision = { kind: 'forward' };

/**
 * Decides over one admitted question: answered here, or somebody else's. It reads no clock and asks nobody.
 *
 * A name that is ours is never asked upstream, whatever the record type and class and whether its container runs: that would tell strangers
 * our names, and a wildcard out there would answer for them. The same for the reverse tree of our subnets, whatever stands below it: private
 * addresses mean nothing to anybody else.
 */
export function decide(query: Query, asker: string, zone: Zone): Decision {
  const decision = decideName(query, asker, zone);
  const isOurs = query.class === CLASS_IN || query.class === CLASS_ANY;
  return decision.kind === 'forward' || isOurs ? decision : { kind: 'other-class' };
}

/** The reply to what is decided here; null: it is to be forwarded. */
export function localReply(query: Query, decision: Decision): Uint8Array | null {
  switch (decision.kind) {
    case 'forward':
      return null;
    case 'local': {
      const { addresses } = decision.local;
      return addresses.length === 0 ? nameErrorReply(query) : addressReply(query, shuffled(addresses));
    }
    case 'reverse':
      return decision.target === null ? nameErrorReply(query) : pointerReply(query, decision.target);
    case 'other-class':
      return errorReply(query, RCODE.REFUSED);
    case 'reverse-tree':
      return decision.empty ? addressReply(query, []) : nameErrorReply(query);
  }
}

/** The name as it stands, then without each search domain: with `ndots:1` a client asks `db.corp.example` and means `db`. */
function decideName(query: Query, asker: string, zone: Zone): Decision {
  const plain = plainName(query);
  const name = plain ?? reverseText(query);
  if (name === null) return FORWARD;
  const asIs = decideOne(name, plain !== null, null, asker, zone);
  if (asIs !== null) return asIs;
  const domains = zone.search(asker);
  if (domains.length === 0) return FORWARD;
  for (const suffix of suffixesOf(domains)) {
    if (!name.endsWith(suffix) || name.length === suffix.length) continue;
    const bare = name.slice(0, -suffix.length);
    const decision = decideOne(bare, plain !== null, suffix.slice(1), asker, zone);
    if (decision !== null) return decision;
  }
  return FORWARD;
}

/** null: not ours. @param isPlain other names are looked at for the reverse tree alone */
function decideOne(name: string, isPlain: boolean, suffix: string | null, asker: string, zone: Zone): Decision | null {
  const reverse = name.endsWith('.arpa') ? decideReverse(name, zone) : null;
  if (reverse !== null || !isPlain) return reverse;
  const local = zone.lookup(asker, name);
  return local === null ? null : { kind: 'local', local, name, suffix };
}

function decideReverse(name: string, zone: Zone): Decision | null {
  const reverse = parseReverseName(name);
  if (reverse === null) return null;
  if (!isOneAddress(reverse)) {
    if (!zone.owns(reverse.address, reverse.prefixLength)) return null;
    return { kind: 'reverse-tree', empty: !reverse.below };
  }
  const target = zone.reverse(reverse.address);
  return target === undefined ? null : { kind: 'reverse', target };
}

const suffixes = new WeakMap<readonly string[], readonly string[]>();

/** `.corp.example` of `Corp.Example.`; remembered by list, since a container keeps its list. */
function suffixesOf(domains: readonly string[]): readonly string[] {
  const known = suffixes.get(domains);
  if (known !== undefined) return known;
  const made = domains
    .map((domain) => `.${domain.toLowerCase().replace(/^\.|\.$/g, '')}`)
    .filter((suffix) => suffix !== '.');
  suffixes.set(domains, made);
  return made;
}
