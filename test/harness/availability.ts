import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { worldIdentity } from './identity.js';

const TOOLS = ['unshare', 'nsenter', 'setpriv', 'ip', 'mount', 'bash', 'python3'];
const BUILT = ['dist/unet.cjs', 'dist/daemon.mjs', 'dist/native/unet.node', 'dist/native/unet-launch'];

/** Why a world cannot be made here, in one line; null when it can. */
export function whyNoWorld(): string | null {
  if (process.platform !== 'linux') return 'the end-to-end tests need Linux';
  for (const file of BUILT) {
    if (!existsSync(fileURLToPath(new URL(`../../${file}`, import.meta.url))))
      return `${file} is missing: run "npm run build"`;
  }
  for (const tool of TOOLS) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not installed`;
  }
  const tun = whyNoTun();
  if (tun !== null) return tun;
  return whyNoNamespaces();
}

function whyNoTun(): string | null {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    closeSync(openSync('/dev/net/tun', 'r+'));
  } catch (error) {
    return `/dev/net/tun cannot be opened (${(error as NodeJS.ErrnoException).code})`;
  }
  return null;
}

function whyNoNamespaces(): string | null {
  const { prefix, uid, gid } = worldIdentity();
  const map = [`--map-user=${uid}`, `--map-group=${gid}`, '--keep-caps'];
  const inside = 'mount -t tmpfs tmpfs /run && ip link set lo up';
  const [command = '', ...args] = [
    ...prefix,
    ...['unshare', '--user', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', ...map],
    ...['sh', '-c', inside],
  ];
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: '/' });
  if (status === 0) return null;
  return `an ordinary user cannot make namespaces here: ${(error?.message ?? stderr).trim().split('\n')[0]}`;
}
