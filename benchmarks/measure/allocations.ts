import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLine } from './process.js';

/** Counts the engine thread's calls of the allocator, by a library of ten lines that is preloaded into the daemon. */
export class AllocationCounter {
  readonly #directory = mkdtempSync(join(tmpdir(), 'unet-bench-allocations-'));

  /** @throws Error when it cannot be compiled */
  constructor(root: string) {
    const source = join(root, 'benchmarks', 'measure', 'count-allocations.c');
    writeFileSync(this.#count, Buffer.alloc(8));
    const { status, stderr, error } = spawnSync(
      'cc',
      ['-shared', '-fPIC', '-O2', '-fno-builtin', '-o', this.#library, source],
      { encoding: 'utf8' },
    );
    if (status === 0) return;
    this.close();
    throw new Error(`cc cannot compile ${source}: ${error?.message ?? lastLine(stderr)}`);
  }

  /** What the daemon's environment needs. */
  get env(): NodeJS.ProcessEnv {
    return { LD_PRELOAD: this.#library, UNET_BENCH_ALLOCATIONS: this.#count };
  }

  /** Since the daemon started. */
  count(): number {
    return Number(readFileSync(this.#count).readBigUInt64LE());
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #library(): string {
    return join(this.#directory, 'count-allocations.so');
  }

  get #count(): string {
    return join(this.#directory, 'count');
  }
}
