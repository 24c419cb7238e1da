import { spawnSync } from 'node:child_process';
import type { TestContext } from 'vitest';
import type { Stage } from './e2e.js';

export interface Programs {
  /** Where one is missing the test says so and is skipped; in CI that fails the run. */
  need(context: TestContext, ...names: string[]): void;
  has(...names: string[]): boolean;
}

/** Programs of the distribution that a test uses. */
export function programs(stage: Stage): Programs {
  const known = new Map<string, boolean>();
  const has = (name: string) => {
    const found = known.get(name) ?? isInstalled(name, stage.world.env);
    known.set(name, found);
    return found;
  };
  return {
    need(context, ...names) {
      for (const name of names) context.skip(!has(name), `${name} is not installed`);
    },
    has: (...names) => names.every(has),
  };
}

function isInstalled(name: string, env: NodeJS.ProcessEnv): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name], { env }).status === 0;
}
