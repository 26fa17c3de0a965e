import { elementCount, int8TileShapes, type TileForm, tileBits, tileShapes } from '../checkpoint/index.ts';
import { type ElementType, OnnxGraph } from '../graph/index.ts';
import type { Pointer } from './api.ts';
import { RuntimeEnvironment } from './environment.ts';
import { hasFastIntegerProducts } from './integer-products.ts';
import { NativeMemory } from './native-memory.ts';
import { Session } from './session.ts';
import { TensorView } from './tensor.ts';

/** Sizes of the matrices that are tried: tokens, width, outputs. Those of a small model's MLP. */
const sizes = { tokens: 8, width: 576, out: 1536 } as const;
const rounds = 12;

export interface Int8Check {
  /** Whether 8-bit products are exact at their extremes. */
  readonly exact: boolean;
  /** How many times faster than float32 they are, medians of interleaved runs. */
  readonly speedUp: number;
}

/** How the two kinds of products would be computed. */
export interface ProductsToCheck {
  /** The library of own operators; null without. */
  readonly kernels: string | null;
  /** The form of tiles that own operators would read in float32 arithmetic; null where ONNX Runtime would multiply float32 weights. */
  readonly form: TileForm | null;
}

/**
 * Tries 8-bit matrix products on this processor. Some x86 processors (those without VNNI) add pairs of products in 16 bits and
 * saturate, which gives wrong sums for large weights without any error (ONNX Runtime's documentation, "Quantize ONNX models", on
 * U8S8): there int8 must not be used.
 */
export async function checkInt8(threads: number, { kernels, form }: ProductsToCheck): Promise<Int8Check> {
  const environment = RuntimeEnvironment.acquire({ threads });
  try {
    const own = kernels !== null && hasFastIntegerProducts(kernels);
    const integers = await tryGraph(environment, own ? ownIntegerGraph() : integerGraph(), 'uint8', 255, kernels);
    const float = kernels !== null && form !== null ? productGraph(form) : floatGraph();
    const floats = await tryGraph(environment, float, 'float32', 255, kernels);
    // 255 · 127 · width, far from what 16 bits hold; a float32 holds it exactly.
    const exact = integers.output.every((value) => value === 255 * 127 * sizes.width);
    const milliseconds = { integers: [] as number[], floats: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      milliseconds.integers.push(await integers.time());
      milliseconds.floats.push(await floats.time());
    }
    integers.close();
    floats.close();
    return { exact, speedUp: median(milliseconds.floats) / median(milliseconds.integers) };
  } finally {
    environment.release();
  }
}

function integerGraph(): Uint8Array {
  const { width, out } = sizes;
  const graph = new OnnxGraph();
  graph.input('x', 'uint8', ['M', width]);
  const weight = graph.constant('weight', 'int8', [width, out], new Uint8Array(width * out).fill(127));
  const scales = graph.constant('scales', 'float32', [out], new Uint8Array(new Float32Array(out).fill(1).buffer));
  graph.node('y', 'MatMulIntegerToFloat', ['x', weight, graph.scalar(1), scales], { domain: 'com.microsoft' });
  graph.output('y', 'float32', ['M', out]);
  return graph.serialize('int8');
}

function ownIntegerGraph(): Uint8Array {
  const { tokens, width, out } = sizes;
  const graph = new OnnxGraph();
  graph.input('x', 'uint8', ['M', width]);
  const shapes = int8TileShapes(out, width);
  const ones = (count: number) => new Uint8Array(new Float32Array(count).fill(1).buffer);
  const tiles = new Uint8Array(elementCount(shapes.tiles)).fill(127);
  const inputs = [
    'x',
    graph.constant('x_scale', 'float32', [tokens, 1], ones(tokens)),
    graph.constant('tiles', 'uint8', shapes.tiles, tiles),
    graph.constant('scales', 'float32', shapes.scales, ones(out)),
    // quanta are counted from 0 here
    graph.constant('offsets', 'int32', shapes.scales, new Uint8Array(4 * out)),
  ];
  graph.node('y', 'IntegerProduct', inputs, { attributes: { outputs: out }, domain: 'tiller' });
  graph.output('y', 'float32', ['M', out]);
  return graph.serialize('own int8');
}

function floatGraph(): Uint8Array {
  const { width, out } = sizes;
  const graph = new OnnxGraph();
  graph.input('x', 'float32', ['M', width]);
  const values = new Uint8Array(new Float32Array(width * out).fill(127).buffer);
  const weight = graph.constant('weight', 'float32', [out, width], values);
  graph.node('y', 'FusedMatMul', ['x', weight], { attributes: { transB: 1 }, domain: 'com.microsoft' });
  graph.output('y', 'float32', ['M', out]);
  return graph.serialize('float');
}

function productGraph(form: TileForm): Uint8Array {
  const { width, out } = sizes;
  const graph = new OnnxGraph();
  graph.input('x', 'float32', ['M', width]);
  const shapes = tileShapes(out, width, tileBits[form]);
  const numbers = (name: string) => {
    // one, in half precision
    const values = new Uint8Array(new Uint16Array(elementCount(shapes.scales)).fill(0x3c00).buffer);
    return graph.constant(name, 'float16', shapes.scales, values);
  };
  const inputs = ['x', graph.constant('tiles', 'uint8', shapes.tiles, new Uint8Array(elementCount(shapes.tiles)))];
  if (form !== 'tiles16') inputs.push(numbers('scales'));
  if (form === 'tiles4m') inputs.push(numbers('minima'));
  graph.node('y', 'Product', inputs, { attributes: { bits: tileBits[form], outputs: out }, domain: 'tiller' });
  graph.output('y', 'float32', ['M', out]);
  return graph.serialize('product');
}

/** A session over inputs that all hold `value`, with the output of its first run. */
async function tryGraph(
  environment: RuntimeEnvironment,
  graph: Uint8Array,
  type: ElementType,
  value: number,
  kernels: string | null,
) {
  const { tokens, width, out } = sizes;
  const { api } = environment;
  const prepacked: Pointer = api.create('CreatePrepackedWeightsContainer');
  const session = await Session.create(environment, graph, new Map(), prepacked, kernels);
  const memory = NativeMemory.reserve(tokens * (width + out) * 4);
  const inputBytes = tokens * width * (type === 'uint8' ? 1 : 4);
  const at = tokens * width * 4;
  if (type === 'uint8') new Uint8Array(memory.buffer, 0, inputBytes).fill(value);
  else new Float32Array(memory.buffer, 0, inputBytes / 4).fill(value);
  const x = new TensorView(environment, { address: memory.address, byteLength: inputBytes }, type, [tokens, width]);
  const place = { address: memory.address + BigInt(at), byteLength: tokens * out * 4 };
  const y = new TensorView(environment, place, 'float32', [tokens, out]);
  const binding = session.bind(new Map([['x', x]]), new Map([['y', y]]));
  await session.run(binding);
  return {
    output: new Float32Array(memory.buffer, at, tokens * out).slice(),
    time: async () => {
      const began = performance.now();
      await session.run(binding);
      return performance.now() - began;
    },
    close: () => {
      binding.release();
      x.release();
      y.release();
      session.close();
      api.release('ReleasePrepackedWeightsContainer', prepacked);
      memory.free();
    },
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
