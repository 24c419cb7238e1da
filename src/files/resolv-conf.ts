import { requireConfigWord } from '../model/config-word.js';
import type { DnsChoice, DnsList, DnsOrigin } from '../model/dns-choice.js';
import { isOwnResolver, NO_SEARCH } from '../model/dns-options.js';
import type { ParsedResolvConf } from '../model/resolv-conf.js';

export interface ResolvConfOptions {
  /** Where unet answers, for the container's names and for all others. */
  readonly gateway: string;
  readonly host: Pick<ParsedResolvConf, 'path' | 'invalid'>;
  readonly chosen: DnsChoice;
}

/**
 * /etc/resolv.conf of a container.
 *
 * The gateway is the nameserver, whoever the upstreams are: unet answers there and asks them. Only a resolver of the
 * container's own (`--dns 127.0.0.1`) cannot be asked from there, so it stands as given, in its place among the others.
 *
 * The comment lines are for the person who looks into the file and asks where a name goes. They tell of the moment of
 * writing: the host's file is followed live, the container's is not rewritten for its servers.
 */
export function renderResolvConf({ gateway, host, chosen }: ResolvConfOptions): string {
  const { servers, search, options } = chosen;
  const { words, ndotsFrom } = withNdots(options);
  const lines = [
    ...nameservers(gateway, servers).map((address) => `nameserver ${requireConfigWord('nameserver', address)}`),
    ...wordsLine('search', searchDomains(search)),
    ...wordsLine('options', words),
    '',
    ...provenance(host, chosen),
    `# Option ndots from: ${ndotsFrom}`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The domains that stand in the file: `.` means none. */
export function searchDomains({ list }: DnsList): readonly string[] {
  return list.filter((domain) => domain !== NO_SEARCH);
}

function nameservers(gateway: string, { origin, list }: DnsList): readonly string[] {
  // The host's loopback is asked from the host: only a list of the run or of the daemon speaks of the container's own.
  if (origin === 'host' || list.length === 0) return [gateway];
  return [...new Set(list.map((address) => (isOwnResolver(address) ? address : gateway)))];
}

function provenance({ path, invalid }: ResolvConfOptions['host'], chosen: DnsChoice): string[] {
  const { servers } = chosen;
  const keys = [
    ['nameservers', servers],
    ['search', chosen.search],
    ['options', chosen.options],
  ] as const;
  const overrides = keys.filter(([, { origin }]) => origin !== 'host').map(([key]) => key);
  const defaults = keys.filter(([, { origin }]) => origin === 'daemon').map(([key]) => key);
  const unusable = servers.origin === 'host' ? invalid : [];
  return [
    `# Based on host file: '${commentText(path ?? 'none')}' (answered by unet at the gateway; changes there are followed live)`,
    ...(unusable.length > 0 ? [`# Invalid nameservers: [${unusable.map(commentText).join(' ')}]`] : []),
    externalServers(servers),
    `# Overrides: [${overrides.join(' ')}]`,
    ...(defaults.length > 0 ? [`# Of these from the daemon: [${defaults.join(' ')}]`] : []),
  ];
}

/** `host(9.9.9.9)`: who is asked, and who said so. */
function externalServers({ origin, list }: DnsList): string {
  const servers = list.filter((address) => origin === 'host' || !isOwnResolver(address));
  if (servers.length > 0) return `# ExtServers: [${servers.map((address) => `${origin}(${address})`).join(' ')}]`;
  return list.length > 0
    ? "# NO EXTERNAL NAMESERVERS: the resolver is the container's own, names of other containers are in /etc/hosts only"
    : '# NO EXTERNAL NAMESERVERS DEFINED';
}

/** Where the `ndots` of the file comes from, in Docker's words. */
const NDOTS_FROM: Readonly<Record<DnsOrigin, string>> = { run: 'override', daemon: 'override', host: 'host' };

/**
 * `ndots:0` unless a valid one is there: a container's own names have no dot and must be asked as they stand. A
 * malformed one (`ndots:`, `ndots:x`, `ndots:-1`) goes: libc would read it as it likes.
 */
function withNdots({ origin, list }: DnsList): { words: readonly string[]; ndotsFrom: string } {
  const kept = list.filter((option) => !/^ndots(:|$)/.test(option) || /^ndots:\d+$/.test(option));
  if (kept.some((option) => option.startsWith('ndots:'))) return { words: kept, ndotsFrom: NDOTS_FROM[origin] };
  return { words: [...kept, 'ndots:0'], ndotsFrom: 'internal' };
}

function wordsLine(keyword: string, words: readonly string[]): string[] {
  if (words.length === 0) return [];
  return [`${keyword} ${words.map((word) => requireConfigWord(keyword, word)).join(' ')}`];
}

/** A path may hold anything but NUL; a comment ends with its line. */
function commentText(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
