import { defineConfig } from 'vitest/config';
import { patient } from './test/harness/patience.js';

/**
 * Three projects, one command. unit and contract run side by side in seconds; e2e makes real namespaces, owns ports
 * and counts processes, so its files go one after another. A fourth runs on other kernels only.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          pool: 'forks',
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/harness/global-setup.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: patient(60_000),
          hookTimeout: patient(60_000),
        },
      },
      {
        // Needs netem and a kernel of the list in scripts/kernels: npm run test:kernels.
        test: {
          name: 'kernels',
          include: ['test/kernels/**/*.test.ts'],
          globalSetup: ['test/harness/global-setup.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: patient(60_000),
          hookTimeout: patient(60_000),
        },
      },
    ],
  },
});
