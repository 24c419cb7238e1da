import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, runToEnd } from '../measure/process.js';
import { enter, HOLD } from './holder.js';

const COMMAND_MS = 20_000;

export interface GuestOptions {
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
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #get<T>(path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.#directory, 'run', 'unet.sock');
      request({ socketPath, path }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more;
        });
        response.once('end', () =>
          response.statusCode === 200 ? resolve(JSON.parse(text) as T) : reject(new Error(text)),
        );
      })
        .once('error', reject)
        .end();
    });
  }
}
