import type { Client, StartedContainer } from '../api/index.js';
import { callersOpenFiles, completeSpec, findLauncher, runLauncher } from '../launch/index.js';
import { guestEnvironment } from '../model/environment.js';
import type { LaunchSpec } from '../model/launch-spec.js';
import type { Context } from './context.js';
import { complain } from './output.js';

/** The command has ended or started; how long the daemon may take to have noticed. */
const SETTLE_MILLISECONDS = 5000;

export function warn(warnings: readonly string[]): void {
  for (const warning of warnings) complain(`warning: ${warning}`);
}

/**
 * Starts a container that exists. Its environment is that of this process, then what it was made with. Gives the launcher's status: in the
 * foreground the command's, in the background 0 when it was started. What went wrong in the launcher it has said itself. Null: it runs already.
 *
 * @throws UnetError
 */
export async function bringUp(
  client: Client,
  ref: string,
  { attach }: { readonly attach: boolean },
  context: Context,
): Promise<number | null> {
  const launcher = findLauncher(context.env);
  const { id, launch, linkEnv, env, cleanEnv, warnings } = await client.start(ref, { attach });
  warn(warnings);
  if (launch === null) return null;
  const environment = guestEnvironment(context.env, launch.hostname, linkEnv, { PWD: launch.cwd, ...env }, cleanEnv);
  const spec = completeSpec(launch, environment, callersOpenFiles());
  return launchAndSettle(client, launcher, id, spec);
}

/** From here on the standard streams belong to the command. */
export async function launchAndSettle(
  client: Client,
  launcher: string,
  id: StartedContainer['id'],
  spec: LaunchSpec,
): Promise<number> {
  const status = await runLauncher(launcher, spec);
  await settled(client, id, spec.ticket, spec.detach && status === 0 ? 'started' : 'ended');
  return status;
}

/**
 * Waits until the daemon has seen what we have seen, so that the next command finds the name free, or the container listed.
 * A daemon that died in the meantime is no reason to fail: the command's status stands.
 */
async function settled(client: Client, id: string, ticket: string, until: 'started' | 'ended'): Promise<void> {
  await client.wait(id, until, { launcherEnded: true, ticket, timeout: SETTLE_MILLISECONDS }).catch(() => {});
}
