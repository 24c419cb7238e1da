import { isConfigWord } from './config-word.js';
import { UnetError } from './errors.js';

/** Of a value of `--link`. */
export const LINK_FORM = 'CONTAINER[:ALIAS]';

/** One `--link`: whom, and what the container that asks for it calls them. */
export interface LinkRequest {
  /** A name, a full id, or a prefix of one, as it was typed. */
  readonly target: string;
  readonly alias: string;
}

/** What the daemon takes of each; an alias is a DNS name. */
const MAX_TARGET_LENGTH = 256;
const MAX_ALIAS_LENGTH = 253;

/**
 * Reads a value of `--link`: `db`, `db:store`, and `/db:/web/store`, as `inspect` shows a link. Of a path the last element is the alias.
 * Which characters an alias may hold is the user's business, but for those that no line of /etc/hosts and no variable's name can carry.
 *
 * @throws UnetError INVALID
 */
export function parseLinkSpec(text: string): LinkRequest {
  if (text === '') throw new UnetError('INVALID', 'empty string specified for links');
  const [first = '', second = first, ...more] = text.split(':');
  if (more.length > 0) throw badFormat(text);
  const inspected = second !== first && first.startsWith('/') && second.startsWith('/');
  const target = inspected ? first.slice(1) : first;
  const alias = second.slice(second.lastIndexOf('/') + 1);
  const fits = target.length <= MAX_TARGET_LENGTH && alias.length <= MAX_ALIAS_LENGTH;
  if (!fits || !isConfigWord(target) || !isConfigWord(alias) || alias.includes('=')) throw badFormat(text);
  return { target, alias };
}

function badFormat(text: string): UnetError {
  return new UnetError('INVALID', `bad format for links: ${text}`);
}
