import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Background, lastLine, output, runToEnd, startBackground } from '../measure/process.js';
import { enter, HOLD } from './holder.js';

const COMMAND_MS = 20_000;
const LOOK_MS = 20;

interface GuestOptions {
  readonly name: string;
  readonly mtu: number;
  readonly publish?: readonly number[];
  readonly publishUdp?: readonly number[];
  readonly root?: boolean;
}

export interface Guest {
  readonly name: string;
  /** The process that holds it open, as the host sees it. */
  readonly pid: number;
  readonly address: string;
  readonly inside: readonly string[];
}

interface DaemonFacts {
  readonly pid: number;
  readonly network: { readonly gateway: string };
  readonly engine: { readonly counters: Readonly<Record<string, number>> };
}

/** A daemon with sockets and state of its own, so that the user's own is left in peace. */
export class UnetDaemon {
  readonly #directory = mkdtempSync(join(tmpdir(), 'unet-bench-'));
  readonly #cli: string;
  readonly #before: readonly string[];
  #foreground: Background | null = null;

  /** `before`: the words that bring a command to where the daemon shall run; none for the host. */
  constructor(root: string, before: readonly string[] = []) {
    this.#cli = join(root, 'dist', 'unet.cjs');
    this.#before = before;
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      UNET_RUNTIME_DIR: join(this.#directory, 'run'),
      UNET_STATE_DIR: join(this.#directory, 'state'),
    };
  }

  /** The words of a command line of unet that talks to this daemon; run them with `env`. */
  argv(...words: string[]): string[] {
    return [...this.#before, process.execPath, this.#cli, ...words];
  }

  cli(...words: string[]): Promise<string> {
    return output(this.argv(...words), { timeoutMs: COMMAND_MS, env: this.env });
  }

  /** Starts a container that sleeps, with every port of the loopback open to it. The first one starts the daemon. */
  async guest({ name, mtu, publish = [], publishUdp = [], root = false }: GuestOptions): Promise<Guest> {
    const published = [...publish.map((port) => `${port}/tcp`), ...publishUdp.map((port) => `${port}/udp`)];
    const ports = published.flatMap((port) => ['-p', `127.0.0.1:${port.split('/')[0]}:${port}`]);
    const user = root ? ['--user', 'root'] : [];
    await this.cli(
      ...['run', '-d', '--name', name, '--mtu', String(mtu), '--host-access', 'all', ...user, ...ports],
      ...['--', ...HOLD],
    );
    const { pid, address } = await this.#get<{ pid: number; address: string }>(`/v1/containers/${name}`);
    return { name, pid, address, inside: enter(pid) };
  }

  /** Starts the daemon by hand, with more in its environment; the first container would start it otherwise. */
  async runInForeground(env: NodeJS.ProcessEnv): Promise<void> {
    const daemon = await startBackground(this.argv('daemon', 'run'), { ...this.env, ...env });
    this.#foreground = daemon;
    for (;;) {
      if (
        await this.facts().then(
          () => true,
          () => false,
        )
      )
        return;
      if (!daemon.alive()) throw new Error(`unet daemon run ended: ${lastLine(daemon.output())}`);
      await sleep(LOOK_MS);
    }
  }

  facts(): Promise<DaemonFacts> {
    return this.#get<DaemonFacts>('/v1/daemon');
  }

  async close(): Promise<void> {
    const pid = await this.facts().then(
      (facts) => facts.pid,
      () => null,
    );
    const { status } = await runToEnd(this.argv('daemon', 'stop', '--all'), { timeoutMs: COMMAND_MS, env: this.env });
    if (status !== 0 && pid !== null) process.kill(pid, 'SIGKILL');
    await this.#foreground?.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Asked from where the daemon is: it talks to its own user namespace only. */
  async #get<T>(path: string): Promise<T> {
    const socket = join(this.#directory, 'run', 'unet.sock');
    const text = await output([...this.#before, process.execPath, '-e', GET, socket, path], { timeoutMs: COMMAND_MS });
    return JSON.parse(text) as T;
  }
}

const GET = `
const [socketPath, path] = process.argv.slice(1);
require('node:http').get({ socketPath, path }, (response) => {
  if (response.statusCode !== 200) process.exitCode = 1;
  response.pipe(process.stdout);
});`;
