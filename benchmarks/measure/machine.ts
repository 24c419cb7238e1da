import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';

/** What a reader must know to place the figures. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly date: string;
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
