import type { TestProject } from 'vitest/node';
import { whyNoWorld } from './availability.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why the end-to-end tests are skipped; empty when they run. */
    noWorld: string;
  }
}

/** Asked once for all test files. In CI a world that cannot be made is a failure, not a skip. */
export function setup(project: TestProject): void {
  const reason = whyNoWorld();
  if (reason !== null && process.env['CI'] === 'true') throw new Error(`no end-to-end tests: ${reason}`);
  if (reason !== null) process.stderr.write(`SKIP: ${reason}\n`);
  project.provide('noWorld', reason ?? '');
}
