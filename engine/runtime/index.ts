export { type ExecutorOptions, openExecutor } from './executor.ts';
export { findRuntimeLibrary, type RuntimeLibrary } from './library.ts';
