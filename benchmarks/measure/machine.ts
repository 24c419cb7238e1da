import { execFileSync, spawnSync } from 'node:child_process';
import { cpus, release } from 'node:os';
import { onPath } from '../peers/on-path.js';

/** What a reader must know to place the figures. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly date: string;
  /** Load tools and peers with their versions. */
  readonly tools: Readonly<Record<string, string>>;
}

export function machine(): Machine {
  const list = cpus();
  return {
    cores: list.length,
    cpu: list[0]?.model.trim() ?? 'unknown',
    kernel: release(),
    node: process.versions.node,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    tools: tools(),
  };
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    // The results themselves are no change of what was measured.
    const dirty = git('status', '--porcelain', '--', ':!benchmarks/results').trim() === '' ? '' : ', with changes';
    return `${git('rev-parse', '--short', 'HEAD').trim()}${dirty}`;
  } catch {
    return 'unknown';
  }
}

const VARIABLES = {
  ...{ iperf3: 'IPERF3', pasta: 'PASTA', slirp4netns: 'SLIRP4NETNS', rootlesskit: 'ROOTLESSKIT' },
  ...{ dnsperf: 'DNSPERF', dnsmasq: 'DNSMASQ', unbound: 'UNBOUND' },
} as const;

function tools(): Record<string, string> {
  const known = Object.entries(VARIABLES).flatMap(([name, variable]) => {
    const program = onPath(variable, name);
    return program === null ? [] : [[name, versionOf(program, name)] as const];
  });
  return Object.fromEntries(known);
}

function versionOf(program: string, name: string): string {
  const { stdout, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 5000 });
  const version = /\d+[._]\d+[\w.+-]*/.exec((stdout || stderr || '').split('\n')[0] ?? '')?.[0];
  return version ?? packageVersion(name) ?? 'of unknown version';
}

/** Debian's pasta does not know its own version; its package does. */
function packageVersion(name: string): string | null {
  const shown = ['--show', name === 'pasta' ? 'passt' : name];
  const { stdout } = spawnSync('dpkg-query', shown, { encoding: 'utf8', timeout: 5000 });
  return stdout?.split('\t')[1]?.trim() || null;
}
