import { requireConfigWord } from '../model/config-word.js';

/** /etc/hostname: the whole name as given (`-h foo.bar` is not split) and a line feed. */
export function renderHostname(hostname: string): string {
  return `${requireConfigWord('hostname', hostname)}\n`;
}
