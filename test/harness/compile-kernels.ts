import { testKernels } from './kernels.ts';

/** Compiles Tiller's own operators once, before test files run beside each other and each would do it for itself. */
export async function setup(): Promise<void> {
  await testKernels();
}
