/** A word that may stand in a line of /etc/hosts or resolv.conf: no space, no control character, nothing that starts a comment. */
const TOKEN = /^[^\s\p{Cc}#;][^\s\p{Cc}#]*$/u;

/**
 * The generators write words of the user and of the host into files that libc parses line by line. A line
 * break or a comment sign smuggled in would add lines of its own, so a bad word is an error here, whatever the
 * caller has checked before.
 */
export function requireConfigWord(what: string, text: string): string {
  if (!isConfigWord(text)) throw new TypeError(`${what} cannot be written to a file of words: ${JSON.stringify(text)}`);
  return text;
}

export function isConfigWord(text: string): boolean {
  return TOKEN.test(text);
}
