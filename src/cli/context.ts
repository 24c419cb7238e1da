import { type Client, connect, connectIfRunning as connectToRunning, currentPaths } from '../api/index.js';
import { findDaemonScript, startDaemonProcess } from '../launch/index.js';
import { complain } from './output.js';

/** What every verb gets. */
export interface Context {
  readonly version: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Asked only where it matters: it may have been removed under our feet. */
  readonly cwd: () => string;
}

/** A client of the daemon, which is started when none runs. @throws UnetError */
export function connectOrStart({ env }: Context): Promise<Client> {
  noteSudo(env);
  const paths = currentPaths(env);
  return connect({
    paths,
    start: (isUp, holder) =>
      startDaemonProcess({ script: findDaemonScript(env), logFile: paths.logFile, isUp, holder, env }),
  });
}

/** A client of the daemon, or null when none runs. @throws UnetError */
export function connectIfRunning({ env }: Context): Promise<Client | null> {
  return connectToRunning(currentPaths(env));
}

/** Root has a daemon and containers of its own, which surprises whoever typed `sudo` out of habit. */
function noteSudo(env: Readonly<NodeJS.ProcessEnv>): void {
  if (process.geteuid?.() !== 0 || !env['SUDO_UID']) return;
  complain("under sudo you work with root's own containers, not with yours; unet needs no sudo");
}
