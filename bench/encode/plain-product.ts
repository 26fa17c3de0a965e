import { OnnxGraph } from '../../engine/graph/onnx.ts';
import { RuntimeEnvironment } from '../../engine/runtime/environment.ts';
import { NativeMemory } from '../../engine/runtime/native-memory.ts';
import { Session } from '../../engine/runtime/session.ts';
import { TensorView } from '../../engine/runtime/tensor.ts';
import { seededRandom } from '../random.ts';

export interface ProductSizes {
  readonly tokens: number;
  readonly width: number;
  readonly outputs: number;
  readonly threads: number;
}

/** ONNX Runtime's MatMul of float32 alone: [tokens, width] by a weight [width, outputs] that it may lay out as it likes, all of the result written. */
export interface PlainProduct {
  /** Seconds of one run. */
  run(): Promise<number>;
  close(): void;
}

/** Random numbers throughout. Threads are those of the engine's environment, where one is open. */
export async function openPlainProduct({ tokens, width, outputs, threads }: ProductSizes): Promise<PlainProduct> {
  const graph = new OnnxGraph();
  graph.input('x', 'float32', [tokens, width]);
  graph.output('y', 'float32', [tokens, outputs]);
  graph.node('y', 'MatMul', ['x', graph.weight('w', [width, outputs])]);
  const environment = RuntimeEnvironment.acquire({ threads });
  const undo: (() => void)[] = [() => environment.release()];
  const close = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    const { api } = environment;
    const prepacked = api.create('CreatePrepackedWeightsContainer');
    undo.push(() => api.release('ReleasePrepackedWeightsContainer', prepacked));
    const place = (shape: readonly [number, number], seed: number | null) => {
      const byteLength = shape[0] * shape[1] * Float32Array.BYTES_PER_ELEMENT;
      const memory = NativeMemory.reserve(byteLength);
      undo.push(() => memory.free());
      if (seed !== null) {
        const next = seededRandom(seed);
        const { buffer, byteOffset } = memory.bytes;
        const values = new Float32Array(buffer, byteOffset, shape[0] * shape[1]);
        for (let i = 0; i < values.length; i++) values[i] = next() - 0.5;
      }
      const view = new TensorView(environment, { address: memory.address, byteLength }, 'float32', shape);
      undo.push(() => view.release());
      return view;
    };
    const [x, w, y] = [place([tokens, width], 1), place([width, outputs], 2), place([tokens, outputs], null)];
    const session = await Session.create(environment, graph.serialize('product'), new Map([['w', w]]), prepacked, null);
    undo.push(() => session.close());
    const binding = session.bind(new Map([['x', x]]), new Map([['y', y]]));
    undo.push(() => binding.release());
    return {
      async run() {
        const began = performance.now();
        await session.run(binding);
        return (performance.now() - began) / 1000;
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
