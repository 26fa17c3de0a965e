export { type ExecutorOptions, openExecutor } from './executor.ts';
export { checkInt8, type Int8Check, type ProductsToCheck } from './int8-check.ts';
export { hasFastIntegerProducts } from './integer-products.ts';
export { compileKernels, compilerVersion, type Kernels } from './kernels.ts';
export { findRuntimeLibrary, type RuntimeLibrary } from './library.ts';
export { askForShortSlices } from './short-slices.ts';
