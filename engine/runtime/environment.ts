import { OrtApi, type Pointer } from './api.ts';
import { koffi } from './foreign.ts';
import { findRuntimeLibrary } from './library.ts';

const warning = 2;
const deviceAllocator = 0;
const arenaAllocator = 1;
const defaultMemory = 0;

/**
 * ONNX Runtime's process-wide state: one thread pool and one arena for all sessions. ONNX Runtime keeps one environment a
 * process, so everybody acquires the same one.
 */
export class RuntimeEnvironment {
  private static shared: RuntimeEnvironment | null = null;
  private users = 0;
  readonly api: OrtApi;
  readonly handle: Pointer;
  /** Describes ordinary memory to functions that take a pointer. */
  readonly memoryInfo: Pointer;

  private constructor(options: { readonly threads: number }) {
    preferWholeAttention();
    const api = new OrtApi(findRuntimeLibrary().path);
    this.api = api;
    const threading = api.create('CreateThreadingOptions');
    try {
      api.check('SetGlobalIntraOpNumThreads', threading, options.threads);
      this.handle = api.create('CreateEnvWithGlobalThreadPools', warning, 'tiller', threading);
    } finally {
      api.release('ReleaseThreadingOptions', threading);
    }
    this.memoryInfo = api.create('CreateCpuMemoryInfo', deviceAllocator, defaultMemory);
    // Variants run one after the other: they can share the memory for what lives between two operators. An arena keeps it: asking
    // the system anew for every tensor costs page faults, a fifth of a prompt's time in int8.
    const arena = api.create('CreateCpuMemoryInfo', arenaAllocator, defaultMemory);
    api.check('CreateAndRegisterAllocator', this.handle, arena, null);
    api.release('ReleaseMemoryInfo', arena);
  }

  /** The process's environment; the first to ask decides the number of threads. Pair it with `release`. */
  static acquire(options: { readonly threads: number }): RuntimeEnvironment {
    RuntimeEnvironment.shared ??= new RuntimeEnvironment(options);
    RuntimeEnvironment.shared.users++;
    return RuntimeEnvironment.shared;
  }

  release(): void {
    if (--this.users > 0) return;
    RuntimeEnvironment.shared = null;
    this.api.release('ReleaseMemoryInfo', this.memoryInfo);
    this.api.release('ReleaseEnv', this.handle);
  }
}

/**
 * Has GroupQueryAttention compute a chunk's scores whole instead of in tiles. Its tiled form saves memory for prompts of thousands of
 * tokens at once, which chunks never are, and is slower here: 296 against 224 ms for 128 tokens behind 3,900 others (SmolLM2-135M,
 * int8, two cores, ONNX Runtime 1.30). The library has no other switch for it; whoever set it keeps it.
 */
function preferWholeAttention(): void {
  if (process.platform === 'win32') return;
  const setVariable = koffi.load(null).func('int setenv(const char *name, const char *value, int overwrite)');
  setVariable('ORT_GQA_DISABLE_FLASH_ATTENTION', '1', 0);
}
