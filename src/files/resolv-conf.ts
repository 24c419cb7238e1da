import { requireConfigWord } from '../model/config-word.js';
import type { ParsedResolvConf } from '../model/resolv-conf.js';

export interface ResolvConfOptions {
  /** The only nameserver of a container: unet answers there and asks the host's servers for the rest. */
  readonly gateway: string;
  readonly host: ParsedResolvConf;
  /** Of the run, or of the daemon; undefined: the host's. `.` means none. */
  readonly search?: readonly string[] | undefined;
  readonly options?: readonly string[] | undefined;
}

/**
 * /etc/resolv.conf of a container. The comment lines are for the person who looks into the file and asks where
 * a name goes. They tell of the moment of writing: the host's file is followed live, the container's is not rewritten
 * for it.
 */
export function renderResolvConf({ gateway, host, search, options }: ResolvConfOptions): string {
  const domains = (search ?? host.search).filter((domain) => domain !== '.');
  const chosen = withNdots(options ?? host.options);
  const ndotsFrom = !chosen.added ? (options === undefined ? 'host' : 'override') : 'internal';
  const overrides = [search && 'search', options && 'options'].filter(Boolean).join(' ');

  const lines = [
    `nameserver ${requireConfigWord('gateway', gateway)}`,
    ...wordsLine('search', domains),
    ...wordsLine('options', chosen.options),
    '',
    ...provenance(host),
    `# Overrides: [${overrides}]`,
    `# Option ndots from: ${ndotsFrom}`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function provenance(host: ParsedResolvConf): string[] {
  const servers = host.nameservers.map((address) => `host(${requireConfigWord('nameserver', address)})`).join(' ');
  return [
    `# Based on host file: '${commentText(host.path ?? 'none')}' (answered by unet at the gateway; changes there are followed live)`,
    ...(host.invalid.length > 0 ? [`# Invalid nameservers: [${host.invalid.map(commentText).join(' ')}]`] : []),
    servers === '' ? '# NO EXTERNAL NAMESERVERS DEFINED' : `# ExtServers: [${servers}]`,
  ];
}

/**
 * `ndots:0` unless a valid one is there: a container's own names have no dot and must be asked as they stand. A
 * malformed one (`ndots:`, `ndots:x`, `ndots:-1`) goes: libc would read it as it likes.
 */
function withNdots(options: readonly string[]): { options: string[]; added: boolean } {
  const kept = options.filter((option) => !/^ndots(:|$)/.test(option) || /^ndots:\d+$/.test(option));
  const added = !kept.some((option) => option.startsWith('ndots:'));
  return { options: added ? [...kept, 'ndots:0'] : kept, added };
}

function wordsLine(keyword: string, words: readonly string[]): string[] {
  if (words.length === 0) return [];
  return [`${keyword} ${words.map((word) => requireConfigWord(keyword, word)).join(' ')}`];
}

/** A path may hold anything but NUL; a comment ends with its line. */
function commentText(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
