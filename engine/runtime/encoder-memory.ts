import type { Encoder } from '../core/index.ts';
import { encoderPorts } from '../graph/index.ts';
import { CopyPace } from './copy-pace.ts';
import { exactForm, formBytes, halfBits, type NumberForm, piece, stripOutputs } from './encoder-numbers.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { NativeMemory } from './native-memory.ts';
import { TensorView } from './tensor.ts';

const alignment = 64;

/** One encoder's arrays in native memory, as graphs read them. */
export class EncoderMemory {
  readonly encoder: Encoder;
  readonly form: NumberForm;
  private readonly memory: NativeMemory;
  private readonly weightBytes: number;
  private readonly vectors: ReadonlyMap<'bias' | 'factor' | 'threshold' | 'inputBias' | 'numbers', Float32Array>;

  private constructor(encoder: Encoder, form: NumberForm) {
    this.encoder = encoder;
    this.form = form;
    const { outputs, width, input, rule } = encoder;
    this.weightBytes = weightBytes(encoder, form);
    this.memory = NativeMemory.reserve(encoderBytes(encoder, form));
    let at = Math.ceil(this.weightBytes / alignment) * alignment;
    const vector = (values: ArrayLike<number> | number, length: number) => {
      const made = new Float32Array(this.memory.buffer, at, length);
      if (typeof values === 'number') made.fill(values);
      else made.set(values);
      at += Math.ceil((length * 4) / alignment) * alignment;
      return made;
    };
    this.vectors = new Map([
      ['bias', vector(encoder.bias, outputs)],
      ['factor', vector(encoder.factors ?? 1, outputs)],
      ['threshold', vector(rule.kind === 'threshold' ? rule.thresholds : 0, outputs)],
      ['inputBias', vector(input.bias ?? 0, width)],
      ['numbers', vector([input.scale, input.epsilon], 2)],
    ]);
  }

  /** Reads the encoder's rows into memory, in pieces that let the event loop turn: in strips for the own operator, else as they are. */
  static async load(encoder: Encoder, form: NumberForm, strips: boolean): Promise<EncoderMemory> {
    const memory = new EncoderMemory(encoder, form);
    try {
      const pace = new CopyPace();
      for (let first = 0; first < encoder.outputs; ) {
        const count = piece(encoder, first);
        const rows = encoder.rows(first, count);
        if (strips) memory.writeStrips(first, count, rows);
        else memory.plain().set(rows, first * encoder.width);
        first += count;
        if (pace.isDue(rows.byteLength)) await pace.turn();
      }
      return memory;
    } catch (error) {
      memory.free();
      throw error;
    }
  }

  get byteLength(): number {
    return this.memory.byteLength;
  }

  /** Inputs of a graph, by port name. To be released once they are bound. */
  tensors(environment: RuntimeEnvironment, site: string, strips: boolean): Map<string, TensorView> {
    const port = encoderPorts(site);
    const { outputs, width } = this.encoder;
    const { address } = this.memory;
    const weights = { address, byteLength: this.weightBytes };
    const views = new Map([
      strips
        ? [port.weights, new TensorView(environment, weights, 'uint8', [this.weightBytes])]
        : [port.weights, new TensorView(environment, weights, 'float32', [outputs, width])],
    ]);
    for (const [name, { byteOffset, byteLength, length }] of this.vectors) {
      const place = { address: address + BigInt(byteOffset), byteLength };
      views.set(port[name], new TensorView(environment, place, 'float32', [length]));
    }
    return views;
  }

  /** Only after everything bound to it. */
  free(): void {
    this.memory.free();
  }

  private plain(): Float32Array {
    return new Float32Array(this.memory.buffer, 0, this.encoder.outputs * this.encoder.width);
  }

  /** Rows [count, width] from a strip's begin on → [strips, width, 32]. */
  private writeStrips(first: number, count: number, rows: Float32Array): void {
    const { width } = this.encoder;
    const source = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
    const { buffer } = this.memory;
    const total = this.weightBytes / formBytes[this.form];
    const wide = this.form === 'float32' ? new Uint32Array(buffer, 0, total) : null;
    const narrow = this.form === 'float32' ? null : new Uint16Array(buffer, 0, total);
    for (let row = 0; row < count; row++) {
      const output = first + row;
      let to = Math.floor(output / stripOutputs) * width * stripOutputs + (output % stripOutputs);
      for (let at = row * width; at < (row + 1) * width; at++, to += stripOutputs) {
        const bits = source[at] as number;
        if (wide) wide[to] = bits;
        else if (narrow) narrow[to] = this.form === 'bfloat16' ? bits >>> 16 : halfBits(bits);
      }
    }
  }
}

function weightBytes({ outputs, width }: Encoder, form: NumberForm): number {
  return Math.ceil(outputs / stripOutputs) * stripOutputs * width * formBytes[form];
}

/** Memory that an encoder takes. */
export function encoderBytes(encoder: Encoder, form: NumberForm): number {
  const { outputs, width } = encoder;
  const padded = (length: number) => Math.ceil((length * 4) / alignment) * alignment;
  const weights = Math.ceil(weightBytes(encoder, form) / alignment) * alignment;
  return weights + 3 * padded(outputs) + padded(width) + padded(2);
}

/** What an encoder is kept as: for the own operator the smallest form that is exact, for ONNX Runtime's float32. */
export async function chooseForm(encoder: Encoder, strips: boolean): Promise<NumberForm> {
  return strips ? exactForm(encoder) : 'float32';
}
