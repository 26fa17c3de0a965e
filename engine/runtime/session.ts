import { weightPlaceholder } from '../graph/index.ts';
import type { Pointer } from './api.ts';
import type { RuntimeEnvironment } from './environment.ts';
import type { TensorView } from './tensor.ts';

/** One loaded graph. */
export class Session {
  private readonly environment: RuntimeEnvironment;
  private readonly handle: Pointer;
  private closed = false;

  private constructor(environment: RuntimeEnvironment, handle: Pointer) {
    this.environment = environment;
    this.handle = handle;
  }

  /**
   * Makes a session from a ModelProto on a worker thread. `weights` stand in for the graph's declared weights and must
   * outlive the session; `prepacked` keeps one packed copy of each for all sessions made with it. `kernels` is the library of Tiller's
   * own operators, where the graph has any.
   */
  static async create(
    environment: RuntimeEnvironment,
    model: Uint8Array,
    weights: ReadonlyMap<string, TensorView>,
    prepacked: Pointer,
    kernels: string | null,
  ): Promise<Session> {
    const { api } = environment;
    const options = api.create('CreateSessionOptions');
    try {
      api.check('DisablePerSessionThreads', options);
      // A memory plan for every shape that ever ran would grow without end.
      api.check('DisableMemPattern', options);
      api.check('AddSessionConfigEntry', options, 'session.use_env_allocators', '1');
      const folder = 'session.model_external_initializers_file_folder_path';
      api.check('AddSessionConfigEntry', options, folder, weightPlaceholder.folder);
      if (kernels !== null) api.check('RegisterCustomOpsLibrary_V2', options, kernels);
      for (const [name, weight] of weights) api.check('AddInitializer', options, name, weight.handle);
      const handle = await api.createAsync(
        'CreateSessionFromArrayWithPrepackedWeightsContainer',
        environment.handle,
        model,
        model.byteLength,
        options,
        prepacked,
      );
      return new Session(environment, handle);
    } finally {
      api.release('ReleaseSessionOptions', options);
    }
  }

  /** A set of inputs and outputs for `run`, to be released before the session. */
  bind(inputs: ReadonlyMap<string, TensorView>, outputs: ReadonlyMap<string, TensorView>): Binding {
    return new Binding(this.environment, this.handle, inputs, outputs);
  }

  /** Runs on a worker thread; outputs are written in place. */
  run(binding: Binding): Promise<void> {
    return this.environment.api.checkAsync('RunWithBinding', this.handle, null, binding.handle);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.environment.api.release('ReleaseSession', this.handle);
  }
}

/** An IoBinding: which memory a session reads and writes. It holds references to its tensors' handles, not to their memory. */
export class Binding {
  readonly handle: Pointer;
  private readonly environment: RuntimeEnvironment;
  private released = false;

  constructor(
    environment: RuntimeEnvironment,
    session: Pointer,
    inputs: ReadonlyMap<string, TensorView>,
    outputs: ReadonlyMap<string, TensorView>,
  ) {
    this.environment = environment;
    const { api } = environment;
    this.handle = api.create('CreateIoBinding', session);
    try {
      for (const [name, tensor] of inputs) api.check('BindInput', this.handle, name, tensor.handle);
      for (const [name, tensor] of outputs) api.check('BindOutput', this.handle, name, tensor.handle);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.environment.api.release('ReleaseIoBinding', this.handle);
  }
}
