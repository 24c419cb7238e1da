import { readFileSync } from 'node:fs';

/** Whom the world belongs to. unet is for ordinary users: root steps down first. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  /** In front of every command of the world; empty when we are that user already. */
  readonly prefix: readonly string[];
}

const FIRST_USER = 1000;
const LAST_USER = 59_999;
/** No account has it; a user namespace and unet need none. */
const FALLBACK = 54_321;

export function worldIdentity(): Identity {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid !== 0) return { uid, gid, name: process.env['USER'] ?? String(uid), prefix: [] };
  const account = ordinaryAccount();
  const ids = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--inh-caps=-all'];
  return { ...account, prefix: ['setpriv', ...ids, '--'] };
}

function ordinaryAccount(): { uid: number; gid: number; name: string } {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    if (Number(uid) >= FIRST_USER && Number(uid) <= LAST_USER) return { uid: Number(uid), gid: Number(gid), name };
  }
  return { uid: FALLBACK, gid: FALLBACK, name: String(FALLBACK) };
}
