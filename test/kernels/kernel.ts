import { describe } from 'vitest';
import { describeInWorld, type Stage } from '../harness/e2e.js';

/** `6.1.0-56-amd64`; empty outside of npm run test:kernels. */
const RELEASE = process.env['UNET_KERNEL'] ?? '';

/** For tests that need a stock kernel: netem, and one of the releases whose gaps are known. */
export function describeOnKernel(title: string, body: (stage: Stage) => void): void {
  if (RELEASE === '') describe.skip(`${title} (npm run test:kernels)`, () => body({} as Stage));
  else describeInWorld(title, body);
}
