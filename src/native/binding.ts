import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UnetError } from '../model/errors.js';
import type { NativeModule } from './stack.js';

const EXPORTS = ['Stack', 'lockFile', 'overwriteUnopened', 'peerIdentity'] as const;

/**
 * Loads the addon: `$UNET_NATIVE`, else `native/unet.node` next to the built daemon. The only place that does.
 *
 * @throws UnetError DAEMON
 */
export function loadNative(env: Readonly<NodeJS.ProcessEnv> = process.env): NativeModule {
  const path = env['UNET_NATIVE'] || builtAddon();
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (error) {
    const advice = existsSync(path) ? 'it does not fit this system or this Node' : "build it with 'npm run build'";
    throw new UnetError('DAEMON', `cannot load the network engine ${path}: ${messageOf(error)}; ${advice}`, {
      cause: error,
    });
  }
  if (!isNativeModule(loaded)) {
    throw new UnetError('DAEMON', `${path} is not unet's network engine; unset UNET_NATIVE or build it again`);
  }
  return loaded;
}

/** From dist/daemon.mjs it is native/unet.node; from dist/lib/native/binding.js two directories up. */
function builtAddon(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, 'native/unet.node'), join(here, '../../native/unet.node')];
  return candidates.find((candidate) => existsSync(candidate)) ?? candidates[0] ?? '';
}

function isNativeModule(value: unknown): value is NativeModule {
  return typeof value === 'object' && value !== null && EXPORTS.every((name) => name in value);
}
