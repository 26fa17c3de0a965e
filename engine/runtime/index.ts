export { type ExecutorOptions, openExecutor } from './executor.ts';
export { checkInt8, type Float32Rival, type Int8Check } from './int8-check.ts';
export { compileKernels, compilerVersion, type Kernels } from './kernels.ts';
export { findRuntimeLibrary, type RuntimeLibrary } from './library.ts';
