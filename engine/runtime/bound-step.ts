import { TillerError } from '../core/index.ts';
import type { Dimension, ElementType, GraphPort } from '../graph/index.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { NativeMemory } from './native-memory.ts';
import type { Binding, Session } from './session.ts';
import { TensorView } from './tensor.ts';
import type { Variant } from './variants.ts';

/** Sizes of the named dimensions of a graph in one kind of step: B, S, R, K, and groups and slots of each hook point. */
export type DimensionSizes = Readonly<Record<string, number>>;

/**
 * Tensors that belong to somebody else, by port name: the KV cache, the logits, the edits. Those that a graph has no port for are left
 * alone: Tiller's own attention writes the cache through its inputs.
 */
export interface SharedTensors {
  readonly inputs: ReadonlyMap<string, TensorView>;
  readonly outputs: ReadonlyMap<string, TensorView>;
}

interface Place {
  readonly port: GraphPort;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

const elementBytes: Partial<Record<ElementType, number>> = { float32: 4, int32: 4, int64: 8, bool: 1 };
const alignment = 64;
/** What one step may give out besides logits. Attention's scores of all blocks over a long context would be more. */
const mostBytes = 2 ** 30;

function withinLimit(bytes: number): number {
  if (bytes <= mostBytes) return bytes;
  const message =
    `The taps of this step take ${(bytes / 1e9).toFixed(1)} GB; a step may give out ${(mostBytes / 1e9).toFixed(1)} GB. ` +
    'Tap fewer hook points at a time, or read fewer tokens in a step.';
  throw new TillerError('unsupported', message);
}

/**
 * One variant bound to memory of one shape: fill the inputs, `run`, read the outputs. Steps of the same shape use it again,
 * so that a decode step binds nothing.
 */
export class BoundStep {
  readonly variant: Variant;
  readonly sizes: DimensionSizes;
  private readonly session: Session;
  private readonly memory: NativeMemory;
  private readonly places = new Map<string, Place>();
  private readonly tensors: TensorView[] = [];
  private readonly binding: Binding;

  constructor(environment: RuntimeEnvironment, variant: Variant, sizes: DimensionSizes, shared: SharedTensors) {
    this.variant = variant;
    this.sizes = sizes;
    this.session = variant.session;
    const { inputs, outputs } = variant.graph;
    const own = [...inputs, ...outputs].filter(({ name }) => !shared.inputs.has(name) && !shared.outputs.has(name));
    this.memory = NativeMemory.reserve(withinLimit(this.layOut(own, sizes)));
    try {
      const bind = (ports: readonly GraphPort[], theirs: ReadonlyMap<string, TensorView>) =>
        new Map(ports.map((port) => [port.name, theirs.get(port.name) ?? this.tensor(environment, port)]));
      const bindInputs = bind(inputs, shared.inputs);
      const bindOutputs = bind(outputs, shared.outputs);
      this.binding = this.session.bind(bindInputs, bindOutputs);
    } catch (error) {
      this.releaseMemory();
      throw error;
    }
  }

  float32(port: string): Float32Array {
    const { offset, byteLength } = this.place(port);
    return new Float32Array(this.memory.buffer, offset, byteLength / 4);
  }

  /** A boolean port, one byte each: 1 is true. */
  bytes(port: string): Uint8Array {
    const { offset, byteLength } = this.place(port);
    return new Uint8Array(this.memory.buffer, offset, byteLength);
  }

  int32(port: string): Int32Array {
    const { offset, byteLength } = this.place(port);
    return new Int32Array(this.memory.buffer, offset, byteLength / 4);
  }

  int64(port: string): BigInt64Array {
    const { offset, byteLength } = this.place(port);
    return new BigInt64Array(this.memory.buffer, offset, byteLength / 8);
  }

  /** An int64 port as pairs of words, the low one first: reads small numbers without making a BigInt of each. */
  int64Words(port: string): Int32Array {
    const { offset, byteLength } = this.place(port);
    return new Int32Array(this.memory.buffer, offset, byteLength / 4);
  }

  /** Whether the graph has such a port, and nobody else's memory is bound to it. */
  has(port: string): boolean {
    return this.places.has(port);
  }

  /** A port's dimensions: how they are called, and their sizes. */
  dimensions(port: string): { readonly names: readonly Dimension[]; readonly sizes: readonly number[] } {
    const { port: declared, shape } = this.place(port);
    return { names: declared.dimensions, sizes: shape };
  }

  run(): Promise<void> {
    return this.session.run(this.binding);
  }

  release(): void {
    this.binding.release();
    this.releaseMemory();
  }

  private releaseMemory(): void {
    for (const tensor of this.tensors) tensor.release();
    this.memory.free();
  }

  private place(port: string): Place {
    const place = this.places.get(port);
    if (!place) throw new Error(`No port '${port}' in variant ${this.variant.key}`);
    return place;
  }

  /** Gives every port its place and returns the bytes they take together. */
  private layOut(ports: readonly GraphPort[], sizes: DimensionSizes): number {
    let offset = 0;
    for (const port of ports) {
      const shape = port.dimensions.map((dimension) => (typeof dimension === 'number' ? dimension : sizes[dimension]));
      const count = shape.reduce<number>((product, size) => product * (size ?? Number.NaN), 1);
      const byteLength = count * (elementBytes[port.type] ?? Number.NaN);
      if (!Number.isFinite(byteLength)) throw new Error(`Port '${port.name}' has a dimension without a size`);
      this.places.set(port.name, { port, shape: shape as number[], offset, byteLength });
      offset += Math.ceil(byteLength / alignment) * alignment;
    }
    return offset;
  }

  private tensor(environment: RuntimeEnvironment, port: GraphPort): TensorView {
    const { shape, offset, byteLength } = this.place(port.name);
    const place = { address: this.memory.address + BigInt(offset), byteLength };
    const tensor = new TensorView(environment, place, port.type, shape);
    this.tensors.push(tensor);
    return tensor;
  }
}
