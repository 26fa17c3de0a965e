import { defineConfig } from 'vitest/config';

/** Two projects: `unit` needs nothing but the checkout, `real` runs the default model (pulled on first use). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/real/**'],
          globalSetup: './test/harness/compile-kernels.ts',
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          globalSetup: './test/harness/compile-kernels.ts',
          testTimeout: 600_000,
          hookTimeout: 900_000,
          pool: 'forks',
          fileParallelism: false,
        },
      },
    ],
  },
});
