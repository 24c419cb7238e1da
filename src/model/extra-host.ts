import { isIP } from 'node:net';
import { isConfigWord } from './config-word.js';
import { UnetError } from './errors.js';

/** Stands for the gateway's address, which only the daemon knows. */
export const HOST_GATEWAY = 'host-gateway';
/** Of a value of `--add-host`. */
export const EXTRA_HOST_FORM = 'NAME:IP|NAME=IP|NAME:host-gateway';

/** One line of /etc/hosts. */
export interface ExtraHost {
  readonly name: string;
  /** As it was typed, without brackets; or `host-gateway`. */
  readonly address: string;
}

/** What a DNS name may hold. */
const MAX_NAME_LENGTH = 253;

/**
 * Reads a value of `--add-host`. An equals sign divides before a colon does, so that `v6=::1` needs no brackets, and they may
 * be there all the same. The address stays as it was typed: that is what its owner will look for in the file.
 *
 * @throws UnetError INVALID
 */
export function parseExtraHost(text: string): ExtraHost {
  const at = text.includes('=') ? text.indexOf('=') : text.indexOf(':');
  const name = text.slice(0, Math.max(at, 0));
  if (name === '' || name.includes(':') || name.length > MAX_NAME_LENGTH || !isConfigWord(name)) {
    throw new UnetError('INVALID', `bad format for add-host: ${JSON.stringify(text)}; give ${EXTRA_HOST_FORM}`);
  }
  const address = withoutBrackets(text.slice(at + 1));
  if (address !== HOST_GATEWAY && (isIP(address) === 0 || address.includes('%'))) {
    throw new UnetError(
      'INVALID',
      `invalid IP address in add-host: ${JSON.stringify(address)}; give ${EXTRA_HOST_FORM}`,
    );
  }
  return { name, address };
}

/** `myhost:192.168.0.1`: as `inspect` shows it. */
export function formatExtraHost({ name, address }: ExtraHost): string {
  return `${name}:${address}`;
}

function withoutBrackets(text: string): string {
  return text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
}
