import { pasta } from './pasta.js';
import type { Peer } from './peer.js';
import { rootlesskit } from './rootlesskit.js';
import { slirp4netns } from './slirp4netns.js';

interface Found {
  readonly peers: readonly Peer[];
  /** A whole sentence for each that is not installed. */
  readonly notes: readonly string[];
}

interface Size {
  /** Then none: it is about ours and the ceilings, and must fit into a minute. */
  readonly quick: boolean;
}

const NONE: Found = { peers: [], notes: ['A quick run measures no other stacks.'] };

/** The stacks that a guest's connections to the host can go through besides ours, as far as they are installed. */
export function outboundPeers({ quick }: Size): Found {
  if (quick) return NONE;
  return found({ pasta: pasta(), slirp4netns: slirp4netns(), 'gvisor-tap-vsock': rootlesskit('gvisor') });
}

/** Those that publish ports. */
export function publishingPeers({ quick }: Size): Found {
  if (quick) return NONE;
  return found({
    pasta: pasta(),
    slirp4netns: slirp4netns(),
    'gvisor-tap-vsock': rootlesskit('gvisor'),
    'rootlesskit builtin': rootlesskit('builtin'),
    'rootlesskit implicit': rootlesskit('implicit'),
  });
}

function found(candidates: Readonly<Record<string, Peer | null>>): Found {
  const entries = Object.entries(candidates);
  const missing = entries.filter(([, peer]) => peer === null).map(([name]) => name);
  return {
    peers: entries.map(([, peer]) => peer).filter((peer) => peer !== null),
    notes: missing.map((name) => `${name} was skipped: it is not installed here.`),
  };
}
