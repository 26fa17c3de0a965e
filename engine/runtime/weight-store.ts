import { isPacked, type StoredLinears, type TensorLocation, type WeightsFile } from '../checkpoint/index.ts';
import { type ModelConfig, TillerError } from '../core/index.ts';
import { type ElementType, rotaryTables, rotaryTableValues } from '../graph/index.ts';
import type { Pointer } from './api.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { NativeMemory } from './native-memory.ts';
import { TensorView } from './tensor.ts';

/**
 * The one copy of a model's weights that all graph variants share: files mapped read only, tensors over them, and the
 * container of packed copies. ONNX Runtime reads the packed copies; the mapped originals are let go after each packing, so
 * that they count against memory only where they are really read (rows of the embedding).
 */
export class WeightStore {
  readonly prepacked: Pointer;
  private readonly environment: RuntimeEnvironment;
  private readonly memories: NativeMemory[] = [];
  /** Files whose arrays are packed into copies of ONNX Runtime's own; the others are executed where they lie. */
  private readonly packed = new Set<NativeMemory>();
  private readonly tensors = new Map<string, TensorView>();

  constructor(
    environment: RuntimeEnvironment,
    weights: WeightsFile,
    stored: readonly StoredLinears[],
    config: ModelConfig,
    context: number,
  ) {
    this.environment = environment;
    this.prepacked = environment.api.create('CreatePrepackedWeightsContainer');
    try {
      this.addFiles(weights, stored);
      this.addRotaryTables(config, context);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private addFiles(weights: WeightsFile, stored: readonly StoredLinears[]): void {
    const files = new Map<string, NativeMemory>();
    const add = (name: string, location: TensorLocation, type: ElementType, packed: boolean) => {
      const { path, offset, byteLength, shape } = location;
      let file = files.get(path);
      if (!file) {
        file = NativeMemory.file(path);
        files.set(path, file);
        this.memories.push(file);
        if (packed) this.packed.add(file);
      }
      // The file may have been replaced since it was looked at; beyond its end there is nothing to map.
      if (offset + byteLength > file.byteLength) {
        throw new TillerError('checkpoint_invalid', `${path} ends before its tensor '${name}' does.`);
      }
      this.add(name, file, offset, byteLength, shape, type);
    };
    for (const [name, location] of weights.tensors) add(name, location, 'float32', true);
    for (const { arrays, forms } of stored) {
      const packed = [...forms.values()].some(isPacked);
      for (const [name, { location, type }] of arrays) add(name, location, type, packed);
    }
  }

  private addRotaryTables(config: ModelConfig, context: number): void {
    for (const [index, embedding] of config.rotary.entries()) {
      const tables = rotaryTableValues(embedding, context);
      const names = rotaryTables(index);
      for (const kind of ['cosine', 'sine'] as const) {
        const values = tables[kind];
        const memory = NativeMemory.reserve(values.byteLength);
        new Float32Array(memory.buffer).set(values);
        this.memories.push(memory);
        this.add(names[kind], memory, 0, values.byteLength, [context, embedding.dimensions / 2], 'float32');
      }
    }
  }

  /** The weights that a graph declares. Their shapes were checked against the config when the checkpoint was opened. */
  select(wanted: Iterable<string>): Map<string, TensorView> {
    const selected = new Map<string, TensorView>();
    for (const name of wanted) {
      const tensor = this.tensors.get(name);
      if (!tensor) throw new TillerError('checkpoint_invalid', `The checkpoint has no tensor '${name}'.`);
      selected.set(name, tensor);
    }
    return selected;
  }

  /**
   * Lets the pages of mapped originals that were packed go, off the event loop; they come back when read. Nothing may be closed
   * meanwhile.
   */
  async dropOriginals(): Promise<void> {
    for (const memory of this.packed) await memory.discardAside();
  }

  /** Only after every session made with these weights is closed. */
  close(): void {
    for (const tensor of this.tensors.values()) tensor.release();
    this.environment.api.release('ReleasePrepackedWeightsContainer', this.prepacked);
    for (const memory of this.memories) memory.free();
  }

  private add(
    name: string,
    memory: NativeMemory,
    offset: number,
    byteLength: number,
    shape: readonly number[],
    type: ElementType,
  ): void {
    const place = { address: memory.address + BigInt(offset), byteLength };
    this.tensors.set(name, new TensorView(this.environment, place, type, shape));
  }
}
