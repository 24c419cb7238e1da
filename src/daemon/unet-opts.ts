import type { DnsLists } from '../model/dns-choice.js';
import { parseDnsOption, parseDnsSearch, parseDnsServer } from '../model/dns-options.js';
import { messageOf, UnetError } from '../model/errors.js';

interface Option {
  readonly list: keyof DnsLists;
  readonly parse: (text: string) => string;
}

const OPTIONS: Readonly<Record<string, Option>> = {
  dns: { list: 'servers', parse: parseDnsServer },
  'dns-search': { list: 'search', parse: parseDnsSearch },
  'dns-opt': { list: 'options', parse: parseDnsOption },
  'dns-option': { list: 'options', parse: parseDnsOption },
};

/**
 * `UNET_OPTS`, as `DOCKER_OPTS` of old: `--dns 10.0.0.1 --dns-search=corp`. Words are divided by white space; there are no quotes,
 * as no value has a space. One hyphen does for two.
 *
 * @throws UnetError DAEMON
 */
export function parseUnetOpts(text: string): DnsLists {
  const lists: Record<keyof DnsLists, string[] | null> = { servers: null, search: null, options: null };
  const words = text.split(/\s+/).filter(Boolean);
  while (words.length > 0) {
    const word = words.shift() ?? '';
    const [, name = '', inline] = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(word) ?? [];
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (!option) throw wrong(`unknown option '${word}'; the options are ${known()}`);
    const value = inline ?? words.shift();
    if (value === undefined) throw wrong(`no value behind '${word}'`);
    lists[option.list] = [...(lists[option.list] ?? []), parsed(option, name, value)];
  }
  return lists;
}

function parsed(option: Option, name: string, value: string): string {
  try {
    return option.parse(value);
  } catch (error) {
    throw wrong(`--${name}: ${messageOf(error)}`);
  }
}

function known(): string {
  return Object.keys(OPTIONS)
    .map((name) => `--${name}`)
    .join(', ');
}

function wrong(what: string): UnetError {
  return new UnetError('DAEMON', `in the variable UNET_OPTS: ${what}; correct it, or unset it`);
}
