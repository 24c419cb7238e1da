import { readFileSync, statSync } from 'node:fs';
import * as v from 'valibot';
import type { DnsLists } from '../model/dns-choice.js';
import { parseDnsOption, parseDnsSearch, parseDnsServer } from '../model/dns-options.js';
import { errnoOf, messageOf, UnetError } from '../model/errors.js';

/** A config file is a few hundred bytes; what is larger is another file. */
const MAX_BYTES = 1024 * 1024;
/** Of one list: as many as the daemon takes of one container. */
const MAX_ENTRIES = 1024;

/** A list of what `parse` takes; its errors are ours. */
function listOf(example: string, parse: (text: string) => string) {
  const form = `give a list of strings, such as ${example}`;
  const entry = v.pipe(
    v.string(form),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: `${messageOf(error)}; ${form}` });
        return NEVER;
      }
    }),
  );
  return v.optional(
    v.pipe(v.array(entry, form), v.maxLength(MAX_ENTRIES, `at most ${MAX_ENTRIES} entries fit; remove some`)),
  );
}

/** Keys as in Docker's daemon.json. */
const KEYS = {
  dns: listOf('["10.0.0.1"]', parseDnsServer),
  'dns-search': listOf('["corp.example"]', parseDnsSearch),
  'dns-opts': listOf('["ndots:1", "timeout:3"]', parseDnsOption),
};
const UNKNOWN = `is no key of this file; the keys are ${Object.keys(KEYS).join(', ')}`;
const configSchema = v.pipe(
  // To valibot a list is an object, too.
  v.custom<object>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'give an object, such as {"dns": ["10.0.0.1"]}',
  ),
  v.strictObject(KEYS, UNKNOWN),
);

/**
 * `~/.config/unet/config.json`. Null when there is none; an empty one says nothing.
 *
 * @param mustExist the user named it, so its absence is a mistake
 * @throws UnetError DAEMON in one line: file, key, what is wrong, what to do
 */
export function readConfigFile(path: string, { mustExist }: { mustExist: boolean }): DnsLists | null {
  const text = readBounded(path, mustExist);
  if (text === null) return null;
  const parsed = v.safeParse(configSchema, text.trim() === '' ? {} : parseJson(path, text), { abortEarly: true });
  if (parsed.success) {
    const { dns = null, 'dns-search': search = null, 'dns-opts': options = null } = parsed.output;
    return { servers: dns, search, options };
  }
  const [issue] = parsed.issues;
  const key = v.getDotPath(issue)?.split('.')[0];
  throw wrong(path, key === undefined ? issue.message : `${JSON.stringify(key)}: ${issue.message}`);
}

function readBounded(path: string, mustExist: boolean): string | null {
  try {
    if (statSync(path).size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const isAbsent = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
    if (isAbsent && !mustExist) return null;
    const advice = isAbsent ? 'make it, or unset UNET_CONFIG' : 'see that it is a file that you may read, or remove it';
    throw wrong(path, `it cannot be read (${errnoOf(error) ?? messageOf(error)}); ${advice}`);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(path, `it is no JSON (${messageOf(error)}); mend it, or remove it`);
  }
}

function wrong(path: string, what: string): UnetError {
  return new UnetError('DAEMON', `config file ${path}: ${what}`);
}
