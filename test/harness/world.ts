import { chownSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Identity, worldIdentity } from './identity.js';
import { type Place, worldScript } from './layout.js';
import { PATIENCE, patient } from './patience.js';
import { childrenOf, type Result, Running } from './running.js';

/**
 * One world per test file.
 *
 * A process of the test's user stands in a fresh user, mount, network and PID namespace and reads shell commands from a pipe: it alone has
 * capabilities. Programs enter by nsenter and lose theirs at exec, as an ordinary user's program has none. The PID namespace is
 * the broom: when its first process ends, the kernel kills everything that is left, whoever forgot it.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const CLOSE_MS = 5000;
const ADMIN_MS = 15_000;
/** Between two looks: on a slow machine looking is dear too. */
const STEP_MS = 20;

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to stdin, which is then closed. Without it stdin is a pipe left open. */
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
}

export class World {
  /** Everything of this world on disk, owned by its user. */
  readonly directory: string;
  readonly identity: Identity;
  readonly #init: Running;
  readonly #running = new Set<Running>();
  #initPid = 0;
  #marks = 0;

  private constructor(directory: string, identity: Identity) {
    this.directory = directory;
    this.identity = identity;
    const namespaces = ['--user', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    // Mapped to itself: in a world mapped to root the launcher would be root in name and without capabilities.
    const map = [`--map-user=${identity.uid}`, `--map-group=${identity.gid}`, '--keep-caps'];
    const [command = '', ...args] = [...identity.prefix, 'unshare', ...namespaces, ...map, 'bash', '-s'];
    this.#init = new Running(command, args, { entered: false, env: this.env, cwd: directory });
  }

  static async create(): Promise<World> {
    const identity = worldIdentity();
    const directory = mkdtempSync(join(tmpdir(), 'unet-world-'));
    for (const part of ['dist', 'test/fixtures', 'examples']) {
      cpSync(join(root, part), join(directory, 'app', part), { recursive: true });
    }
    giveTo(directory, identity);
    const world = new World(directory, identity);
    try {
      await world.admin(worldScript(directory, identity.gid));
      world.#initPid = world.#findInit();
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  get env(): Record<string, string> {
    const path = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
    return {
      PATH: path.join(delimiter),
      HOME: join(this.directory, 'home'),
      USER: this.identity.name,
      LANG: 'C.UTF-8',
      TERM: 'xterm',
      UNET_TEST_PATIENCE: String(PATIENCE),
      TMPDIR: join(this.directory, 'tmp'),
      XDG_RUNTIME_DIR: join(this.directory, 'run'),
      XDG_STATE_HOME: join(this.directory, 'state'),
      XDG_CONFIG_HOME: join(this.directory, 'config'),
    };
  }

  /** The path of a program or file that the tests bring along. */
  fixture(name: string): string {
    return join(this.directory, 'app', 'test', 'fixtures', name);
  }

  app(name: string): string {
    return join(this.directory, 'app', name);
  }

  /** A shell script with every capability inside the world; its output, or an error with it. */
  async admin(script: string): Promise<string> {
    this.#marks += 1;
    const mark = `=mark-${this.#marks}=`;
    const from = this.#init.stdout.length;
    this.#init.child.stdin?.write(`( ${script}\n) 2>&1 </dev/null; echo "${mark} $?"\n`);
    const [, status = ''] = await this.#init.output(new RegExp(`${mark} (\\d+)\n`), { timeoutMs: ADMIN_MS });
    const output = this.#init.stdout.slice(from, this.#init.stdout.lastIndexOf(mark));
    if (status !== '0') throw new Error(`the world's shell failed with ${status}: ${output}`);
    return output;
  }

  /** Starts a program at a place, as the world's user, without any capability. */
  start(place: Place, argv: readonly string[], options: StartOptions = {}): Running {
    const [command = '', ...args] = [...this.enter(place, options.cwd), ...argv];
    const running = new Running(command, args, {
      entered: true,
      env: { ...this.env, ...options.env },
      ...(options.input !== undefined && { input: options.input }),
    });
    this.#running.add(running);
    return running;
  }

  async run(place: Place, argv: readonly string[], options: StartOptions = {}): Promise<Result> {
    return this.start(place, argv, { input: '', ...options }).result(options.timeoutMs);
  }

  /** The words that bring a command to a place; for programs that start others themselves. */
  enter(place: Place, cwd = join(this.directory, 'home')): string[] {
    const target = String(this.#initPid);
    const network = `--net=/proc/${target}/root/run/netns/${place}`;
    const namespaces = ['--user', '--preserve-credentials', '--mount', '--pid', network];
    return [...this.identity.prefix, 'nsenter', `--target=${target}`, ...namespaces, `--wd=${cwd}`, '--'];
  }

  /** A file of this world's own /etc, written as a program would that replaces it. */
  async writeEtc(name: string, text: string): Promise<void> {
    const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
    await this.admin(`printf %s ${quoted} > /etc/.${name}.new && mv /etc/.${name}.new /etc/${name}`);
  }

  /** Every process of the world, the namespaces' own and the test's own left out. */
  processes(): { pid: number; command: string }[] {
    const procs: { pid: number; command: string }[] = [];
    const proc = `/proc/${this.#initPid}/root/proc`;
    for (const entry of readdirSync(proc)) {
      if (!/^\d+$/.test(entry) || entry === '1') continue;
      try {
        const command = readFileSync(join(proc, entry, 'cmdline'), 'utf8')
          .replaceAll('\0', ' ')
          .trim();
        if (command !== '') procs.push({ pid: Number(entry), command });
      } catch {
        // Gone since the listing.
      }
    }
    return procs;
  }

  async close(): Promise<void> {
    for (const running of this.#running) running.kill('SIGKILL');
    this.#init.child.stdin?.end();
    await this.#init.result(CLOSE_MS).catch(() => this.#init.kill('SIGKILL'));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** unshare waits; its child is the first process inside. */
  #findInit(): number {
    const unshare = this.#init.child.pid ?? 0;
    const [init] = childrenOf(unshare);
    if (init === undefined) throw new Error('the world has no first process');
    return init;
  }
}

function giveTo(directory: string, { uid, gid }: Identity): void {
  if (process.getuid?.() !== 0) return;
  chownSync(directory, uid, gid);
  for (const entry of readdirSync(directory, { recursive: true })) chownSync(join(directory, String(entry)), uid, gid);
}

/** Asks again until the answer is yes, or says what it was waiting for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const limit = patient(timeoutMs);
  const deadline = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${limit} ms in vain: ${what}`);
    await sleep(patient(STEP_MS));
  }
}
