import { TillerError } from '../core/index.ts';
import { koffi } from './foreign.ts';

/** An address in native memory, 0n or null for none. Nobody outside engine/runtime sees one. */
export type Pointer = bigint;

/**
 * The functions of ONNX Runtime's C API that Tiller calls, each with its index in the OrtApi table (onnxruntime_c_api.h; the
 * table only ever grows at its end, so an index holds for every later version) and its C signature. Those that can fail
 * return a status, null when all is well.
 */
const table = {
  GetErrorMessage: [2, 'const char *GetErrorMessage(void *status)'],
  CreateSessionOptions: [10, 'void *CreateSessionOptions(_Out_ void **options)'],
  DisableMemPattern: [17, 'void *DisableMemPattern(void *options)'],
  CreateTensorWithDataAsOrtValue: [
    49,
    'void *CreateTensorWithDataAsOrtValue(void *info, void *data, size_t bytes, const int64_t *shape, size_t rank, int type, _Out_ void **value)',
  ],
  CreateCpuMemoryInfo: [69, 'void *CreateCpuMemoryInfo(int allocator, int memory, _Out_ void **info)'],
  ReleaseEnv: [92, 'void ReleaseEnv(void *env)'],
  ReleaseStatus: [93, 'void ReleaseStatus(void *status)'],
  ReleaseMemoryInfo: [94, 'void ReleaseMemoryInfo(void *info)'],
  ReleaseSession: [95, 'void ReleaseSession(void *session)'],
  ReleaseValue: [96, 'void ReleaseValue(void *value)'],
  ReleaseSessionOptions: [100, 'void ReleaseSessionOptions(void *options)'],
  CreateEnvWithGlobalThreadPools: [
    119,
    'void *CreateEnvWithGlobalThreadPools(int level, const char *id, void *threading, _Out_ void **env)',
  ],
  DisablePerSessionThreads: [120, 'void *DisablePerSessionThreads(void *options)'],
  CreateThreadingOptions: [121, 'void *CreateThreadingOptions(_Out_ void **options)'],
  ReleaseThreadingOptions: [122, 'void ReleaseThreadingOptions(void *options)'],
  AddSessionConfigEntry: [130, 'void *AddSessionConfigEntry(void *options, const char *key, const char *value)'],
  RunWithBinding: [133, 'void *RunWithBinding(void *session, void *options, void *binding)'],
  CreateIoBinding: [134, 'void *CreateIoBinding(void *session, _Out_ void **binding)'],
  ReleaseIoBinding: [135, 'void ReleaseIoBinding(void *binding)'],
  BindInput: [136, 'void *BindInput(void *binding, const char *name, void *value)'],
  BindOutput: [137, 'void *BindOutput(void *binding, const char *name, void *value)'],
  CreateAndRegisterAllocator: [144, 'void *CreateAndRegisterAllocator(void *env, void *info, void *arena)'],
  SetGlobalIntraOpNumThreads: [147, 'void *SetGlobalIntraOpNumThreads(void *options, int threads)'],
  SetGlobalSpinControl: [149, 'void *SetGlobalSpinControl(void *options, int spin)'],
  AddInitializer: [150, 'void *AddInitializer(void *options, const char *name, void *value)'],
  CreatePrepackedWeightsContainer: [166, 'void *CreatePrepackedWeightsContainer(_Out_ void **container)'],
  ReleasePrepackedWeightsContainer: [167, 'void ReleasePrepackedWeightsContainer(void *container)'],
  CreateSessionFromArrayWithPrepackedWeightsContainer: [
    169,
    'void *CreateSessionFromArrayWithPrepackedWeightsContainer(void *env, const void *model, size_t bytes, void *options, void *container, _Out_ void **session)',
  ],
  RegisterCustomOpsLibrary_V2: [228, 'void *RegisterCustomOpsLibrary_V2(void *options, const char *path)'],
} as const;

export type ApiFunction = keyof typeof table;
type NativeArgument = Pointer | number | string | BigInt64Array | Uint8Array | (Pointer | null)[] | null;
interface NativeFunction {
  (...values: NativeArgument[]): unknown;
  async(...values: [...NativeArgument[], (error: Error | null, result: unknown) => void]): void;
}

/** Oldest API version whose table holds every function above; later libraries answer it too. */
const requestedApiVersion = 20;

/** ONNX Runtime's C API of one loaded library, with statuses turned into errors. */
export class OrtApi {
  private readonly functions: Readonly<Record<ApiFunction, NativeFunction>>;
  /** The library's own version, `1.30.0`. */
  readonly version: string;
  /** Handles made and not yet released: what a leak would show in. */
  liveHandles = 0;

  constructor(libraryPath: string) {
    let base: Pointer;
    try {
      base = koffi.load(libraryPath).func('void *OrtGetApiBase()')() as Pointer;
    } catch (error) {
      throw new TillerError('runtime_unavailable', `ONNX Runtime could not be loaded from ${libraryPath}.`, {
        cause: error,
      });
    }
    const [getApi, getVersion] = koffi.decode(base, koffi.array('void *', 2)) as [Pointer, Pointer];
    this.version = String(koffi.call(getVersion, koffi.proto('const char *(void)')));
    const api = koffi.call(getApi, koffi.proto('void *(uint32_t)'), requestedApiVersion) as Pointer | null;
    if (!api) {
      throw new TillerError('runtime_unavailable', `ONNX Runtime ${this.version} has no API ${requestedApiVersion}.`);
    }
    const highest = Math.max(...Object.values(table).map(([index]) => index));
    const pointers = koffi.decode(api, koffi.array('void *', highest + 1)) as Pointer[];
    this.functions = Object.fromEntries(
      Object.entries(table).map(([name, [index, signature]]) => [
        name,
        koffi.decode(pointers[index], prototype(signature)) as NativeFunction,
      ]),
    ) as Record<ApiFunction, NativeFunction>;
  }

  /** Calls a function that returns a status. */
  check(name: ApiFunction, ...values: NativeArgument[]): void {
    this.raise(name, this.functions[name](...values));
  }

  /** Calls a function that returns a status and writes a new handle through its last argument. */
  create(name: ApiFunction, ...values: NativeArgument[]): Pointer {
    const handle: (Pointer | null)[] = [null];
    this.check(name, ...values, handle);
    this.liveHandles++;
    return handle[0] as Pointer;
  }

  /** Gives a handle back. */
  release(name: ApiFunction, handle: Pointer): void {
    this.functions[name](handle);
    this.liveHandles--;
  }

  /** `check` on a worker thread, off the event loop. What the arguments point at must stay alive until it resolves. */
  checkAsync(name: ApiFunction, ...values: NativeArgument[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.functions[name].async(...values, (error, status) => {
        try {
          if (error) throw error;
          this.raise(name, status);
          resolve();
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }

  /** `create` on a worker thread. */
  async createAsync(name: ApiFunction, ...values: NativeArgument[]): Promise<Pointer> {
    const handle: (Pointer | null)[] = [null];
    await this.checkAsync(name, ...values, handle);
    this.liveHandles++;
    return handle[0] as Pointer;
  }

  private raise(name: ApiFunction, status: unknown): void {
    if (!status) return;
    const message = String(this.functions.GetErrorMessage(status as Pointer));
    this.functions.ReleaseStatus(status as Pointer);
    throw new Error(`ONNX Runtime, ${name}: ${message}`);
  }
}

const prototypes = new Map<string, ReturnType<typeof koffi.proto>>();

/** koffi keeps prototypes by name for the life of the process: each is declared once. */
function prototype(signature: string) {
  let found = prototypes.get(signature);
  if (!found) {
    found = koffi.proto(signature);
    prototypes.set(signature, found);
  }
  return found;
}
