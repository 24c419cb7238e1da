import { isIP } from 'node:net';
import { isConfigWord } from './config-word.js';

/** What a host's resolv.conf says. Lists keep the file's order; nothing in here is trusted beyond its form. */
export interface ParsedResolvConf {
  /** Where the text was read, for messages and comment lines; null when there is no file behind it. */
  readonly path: string | null;
  readonly nameservers: readonly string[];
  /** Words after `nameserver` that are no addresses. They are reported, not asked. */
  readonly invalid: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** True when the file was larger than we read. */
  readonly cut: boolean;
}

/** A resolv.conf is a few hundred bytes. What lies beyond this is not read. */
export const MAX_RESOLV_CONF_CHARS = 64 * 1024;
/** libc asks the first three (MAXNS) and so do we: the answer inside is the answer outside. */
export const MAX_NAMESERVERS = 3;
/** glibc took six for decades and has no limit today; past this a lookup would take minutes. */
export const MAX_SEARCH_DOMAINS = 32;
export const MAX_OPTIONS = 32;
const MAX_INVALID_LISTED = 8;
const MAX_WORD_CHARS = 255;

/**
 * Reads as libc does: the last `search` or `domain` wins, `options` add up, `#` and `;` start a comment line,
 * unknown keywords are passed over. It never throws: a host with a broken file still deserves its good lines.
 * `null` stands for a file that is absent or dangling, and counts as empty.
 */
export function parseResolvConf(text: string | null, path: string | null = null): ParsedResolvConf {
  const nameservers: string[] = [];
  const invalid: string[] = [];
  let search: string[] = [];
  const options: string[] = [];

  for (const line of wholeLines(text ?? '')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    switch (keyword) {
      case 'nameserver':
        addNameserver(words[0], nameservers, invalid);
        break;
      case 'search':
        search = words.filter(isUsable).slice(0, MAX_SEARCH_DOMAINS);
        break;
      case 'domain':
        search = words.slice(0, 1).filter(isUsable);
        break;
      case 'options':
        for (const word of words.filter(isUsable)) if (options.length < MAX_OPTIONS) options.push(word);
        break;
    }
  }
  return { path, nameservers, invalid, search, options, cut: (text?.length ?? 0) > MAX_RESOLV_CONF_CHARS };
}

/** Lines that are read in full. A cut last line is left out: half an address is another address. */
function wholeLines(text: string): string[] {
  if (text.length <= MAX_RESOLV_CONF_CHARS) return text.split('\n');
  return text.slice(0, MAX_RESOLV_CONF_CHARS).split('\n').slice(0, -1);
}

function addNameserver(word: string | undefined, nameservers: string[], invalid: string[]): void {
  if (word === undefined) return;
  if (isIP(word) === 0) {
    if (isUsable(word) && invalid.length < MAX_INVALID_LISTED) invalid.push(word);
  } else if (nameservers.length < MAX_NAMESERVERS && !nameservers.includes(word)) {
    nameservers.push(word);
  }
}

function isUsable(word: string): boolean {
  return word.length <= MAX_WORD_CHARS && isConfigWord(word);
}
