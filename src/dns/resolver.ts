import { addressReply, nameErrorReply, pointerReply, questionName } from './answer.js';
import type { Query } from './query.js';
import { addressOfReverseName } from './reverse-name.js';
import { CLASS_IN } from './wire.js';

/** What the daemon knows of names, asked anew for every question: there is nothing to invalidate. */
export interface Zone {
  /**
   * Addresses of a name as `asker` (a container id) sees it; the name is in lower case without a trailing dot. An
   * empty list is a name of ours that is down; null is not ours.
   */
  readonly lookup: (asker: string, name: string) => readonly string[] | null;
  /** The name of an address; null: within our subnets, but nobody's; undefined: not ours. */
  readonly reverse: (address: string) => string | null | undefined;
  /** The search domains that the asker's resolv.conf names. */
  readonly search: (asker: string) => readonly string[];
}

export type Resolution = { readonly kind: 'answer'; readonly message: Uint8Array } | { readonly kind: 'forward' };

const FORWARD: Resolution = { kind: 'forward' };

/**
 * Decides over one admitted question: answered here, or somebody else's. Pure: it reads no clock and asks nobody.
 *
 * A name that is ours is never asked upstream, whatever the record type and whether its container runs: that would tell strangers
 * our names, and a wildcard out there would answer for them.
 */
export function resolve(query: Query, asker: string, zone: Zone): Resolution {
  if (query.class !== CLASS_IN) return FORWARD;
  const asked = questionName(query);
  if (asked === null) return FORWARD;
  const name = asked.toLowerCase();

  const address = addressOfReverseName(name);
  if (address !== null) return resolveReverse(query, asked, zone.reverse(address));

  const addresses = firstLocal(asker, name, zone);
  if (addresses === null) return FORWARD;
  const message = addresses.length === 0 ? nameErrorReply(query) : addressReply(query, asked, addresses);
  return { kind: 'answer', message };
}

function resolveReverse(query: Query, asked: string, target: string | null | undefined): Resolution {
  if (target === undefined) return FORWARD;
  return { kind: 'answer', message: target === null ? nameErrorReply(query) : pointerReply(query, asked, target) };
}

/** The name as it stands, then without each search domain: with `ndots:1` a client asks `db.corp.example` and means `db`. */
function firstLocal(asker: string, name: string, zone: Zone): readonly string[] | null {
  const asIs = zone.lookup(asker, name);
  if (asIs !== null) return asIs;
  for (const domain of zone.search(asker)) {
    const suffix = `.${domain.toLowerCase().replace(/^\.|\.$/g, '')}`;
    if (suffix === '.' || !name.endsWith(suffix) || name.length === suffix.length) continue;
    const found = zone.lookup(asker, name.slice(0, -suffix.length));
    if (found !== null) return found;
  }
  return null;
}
