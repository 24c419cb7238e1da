import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type DaemonInfo, ensureDirectories, isAlive, readLockHolder } from '../../api/index.js';
import { currentPaths } from '../../api/runtime-directory.js';
import { EXIT_LOCK_HELD, findDaemonScript } from '../../launch/index.js';
import { humanDuration } from '../../model/duration.js';
import { UnetError } from '../../model/errors.js';
import { type Context, connectIfRunning, connectOrStart } from '../context.js';
import { writeLine, writeOut } from '../output.js';
import { renderFacts } from '../render/facts.js';

const END_MILLISECONDS = 5000;
const LOOK_MILLISECONDS = 20;

/** `daemon run`, which plain `daemon` means too, `daemon status`, `daemon stop` and `daemon restart`. */
export function addDaemon(program: Command, context: Context, done: (status: number) => void): Command {
  const daemon = program
    .command('daemon')
    .description('Look at the background process that serves your containers, end it, or run it here')
    .usage('[COMMAND]')
    .action(async () => done(await runHere(context)));
  daemon
    .command('status')
    .description('Show what the daemon is doing')
    .option('--json', 'as JSON')
    .action(({ json }: { json?: true }) => status(context, json ?? false));
  daemon
    .command('stop')
    .description('End the daemon; refused while containers run')
    .option('--all', 'stop the running containers first')
    .action(({ all }: { all?: true }) => stop(context, all ?? false));
  daemon
    .command('restart')
    .description('Replace the daemon, also one that does not answer; containers run on, their open connections end')
    .action(() => restart(context));
  daemon
    .command('run')
    .description('Run the daemon here, with its log on the terminal')
    .option('--foreground', 'what it does anyway; for unit files that like to say it')
    .action(async () => done(await runHere(context)));
  return daemon;
}

async function status(context: Context, json: boolean): Promise<void> {
  const client = await connectIfRunning(context);
  if (json) writeLine(JSON.stringify(client ? await client.daemon() : null));
  else if (client) writeOut(renderFacts(daemonLines(await client.daemon())));
  else writeLine('no daemon runs; the next command that needs one starts it');
}

/** What is worth telling a person about the daemon. */
export function daemonLines(info: DaemonInfo): [string, string][] {
  const { containers, network, engine } = info;
  const running = containers.running.length;
  const drops = Object.entries(engine.drops).filter(([, count]) => count > 0);
  return [
    ['Version', info.version],
    ['Process', `${info.pid}, up ${humanDuration(Date.now() - Date.parse(info.startedAt)).toLowerCase()}`],
    [
      'Containers',
      `${running} running${running > 0 ? ` (${containers.running.join(', ')})` : ''}, ${containers.total} in all`,
    ],
    ['Network', `${network.name} ${network.subnet}, gateway ${network.gateway}, MTU ${network.mtu}`],
    ['Engine', `${engine.running ? 'running' : 'being restarted'}, ${engine.flows} flows, ${engine.restarts} restarts`],
    ['Dropped', drops.length === 0 ? 'nothing' : drops.map(([reason, count]) => `${reason} ${count}`).join(', ')],
    ['Idle end', info.idleSeconds === 0 ? 'never' : `after ${info.idleSeconds} seconds with nothing to do`],
    ['Sockets', info.runtimeDirectory],
    ['State', info.stateDirectory],
    ['Log', info.logFile],
    ['Settings', settingsLine(info)],
  ];
}

function settingsLine({ configFile, settings: { dns, sources } }: DaemonInfo): string {
  const lists = [
    ['dns', dns.servers],
    ['dns-search', dns.search],
    ['dns-opts', dns.options],
  ] as const;
  const given = lists.filter(([, list]) => list !== null).map(([key, list]) => `${key} ${list?.join(' ') || 'none'}`);
  if (given.length === 0) return `none; ${configFile} and UNET_OPTS are looked at when the daemon starts`;
  return `${given.join('; ')} (from ${sources.join(', ')})`;
}

async function stop(context: Context, all: boolean): Promise<void> {
  const client = await connectIfRunning(context);
  if (!client) {
    writeLine('no daemon runs');
    return;
  }
  await client.stopDaemon(all);
  client.close();
  for (const deadline = Date.now() + END_MILLISECONDS; Date.now() < deadline; await sleep(LOOK_MILLISECONDS)) {
    if (!(await connectIfRunning(context))) return;
  }
  throw new UnetError(
    'DAEMON',
    `the daemon said it would end, but it still answers after ${END_MILLISECONDS / 1000} seconds`,
  );
}

/**
 * Ends the daemon, asking first and then with signals, and starts another, which takes the running containers back: what they send
 * meanwhile waits in their kernels, connections to the outside are lost.
 */
async function restart(context: Context): Promise<void> {
  const paths = currentPaths(context.env);
  const client = await connectIfRunning(context).catch((error) => {
    if (error instanceof UnetError && error.code === 'DAEMON') return null;
    throw error;
  });
  if (client) {
    const { pid } = await client.version();
    await client.leaveDaemon();
    client.close();
    // It holds its lock to the last; a new one must not meet it.
    await hasEnded(() => readLockHolder(paths.lockFile)?.pid === pid);
  } else {
    const holder = readLockHolder(paths.lockFile);
    if (holder && isDaemon(holder.pid)) await endBySignal(holder.pid);
  }
  const next = await connectOrStart(context);
  writeLine(`the daemon runs anew as process ${(await next.version()).pid}`);
  next.close();
}

/** SIGKILL to one that does not mind SIGTERM: stopped, or busy for ever. Its containers bear either. */
async function endBySignal(pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    if (await hasEnded(() => isAlive(pid))) return;
  }
}

async function hasEnded(isThere: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + END_MILLISECONDS; isThere(); await sleep(LOOK_MILLISECONDS)) {
    if (Date.now() > deadline) return false;
  }
  return true;
}

/** A lock file may name a number that belongs to somebody else by now. */
function isDaemon(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('daemon.mjs');
  } catch {
    return false;
  }
}

async function runHere(context: Context): Promise<number> {
  const paths = currentPaths(context.env);
  ensureDirectories(paths);
  const child = spawn(process.execPath, [findDaemonScript(context.env)], {
    stdio: 'inherit',
    env: { ...context.env, UNET_DAEMON_FOREGROUND: '1' },
  });
  // A Ctrl-C reaches the daemon by itself, as it is in our process group; we stay to tell its end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code === EXIT_LOCK_HELD) throw new UnetError('DAEMON', "a daemon runs already; 'unet daemon stop' ends it");
  return code ?? 1;
}
