import type { Command } from 'commander';
import type { CreateContainer } from '../../api/types.js';
import { usageError } from '../../model/errors.js';
import { parseLinkSpec } from '../../model/link-spec.js';
import { collect, oneOf } from '../values.js';

/** Which other containers it is told of, and how. */
export interface LinkOptions {
  readonly link?: readonly string[];
  readonly linkEnv: string;
  readonly linkWait?: string;
}

const LINK_ENVS = ['modern', 'legacy', 'none'] as const;
/** An hour: as much as the daemon takes. */
const MAX_WAIT_SECONDS = 3600;

export function addLinkOptions(command: Command): Command {
  return command
    .option(
      '--link <name[:alias]>',
      'link to a container: its address by name, in /etc/hosts and in variables',
      collect,
    )
    .option(
      '--link-env <kind>',
      'variables that tell of links: modern, legacy (as Docker before 1.6) or none',
      'modern',
    )
    .option('--link-wait <seconds>', 'how long to wait for the first port of a linked container (default: 5)');
}

type LinkPart = Pick<CreateContainer, 'links' | 'linkEnv' | 'linkWaitSeconds'>;

/**
 * @param network as it was given with `--net`
 * @throws UnetError USAGE or INVALID
 */
export function readLinkOptions({ link = [], linkEnv, linkWait }: LinkOptions, network: string): LinkPart {
  if (link.length > 0) requireOwnNetwork(network);
  return {
    links: link.map((text) => ({ ...parseLinkSpec(text) })),
    linkEnv: oneOf('--link-env', linkEnv, LINK_ENVS),
    ...(linkWait !== undefined && { linkWaitSeconds: seconds(linkWait) }),
  };
}

/** Links are about a network of one's own: said in Docker's words, whether or not the mode itself is there. */
function requireOwnNetwork(network: string): void {
  const [mode] = network.split(':', 1);
  const kind = mode === 'host' ? 'host type networking' : mode === 'container' ? 'container type network' : null;
  if (kind === null) return;
  throw usageError(`conflicting options: ${kind} can't be used with links. This would result in undefined behavior`);
}

function seconds(text: string): number {
  const value = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= MAX_WAIT_SECONDS) return value;
  throw usageError(`invalid --link-wait '${text}': give seconds from 0 to ${MAX_WAIT_SECONDS}`);
}
