import { type ElementType, OnnxGraph } from '../../engine/graph/index.ts';
import type { NodeOptions } from '../../engine/graph/onnx.ts';
import { RuntimeEnvironment } from '../../engine/runtime/environment.ts';
import { NativeMemory } from '../../engine/runtime/native-memory.ts';
import { Session } from '../../engine/runtime/session.ts';
import { TensorView } from '../../engine/runtime/tensor.ts';
import { testKernels } from './kernels.ts';

export interface OperatorOutput {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export interface OperatorInput extends OperatorOutput {
  readonly values: Float32Array | Int32Array | Uint16Array | Uint8Array;
}

export interface OperatorRun {
  readonly operator: string;
  readonly attributes?: NodeOptions['attributes'];
  /** null leaves one out. */
  readonly inputs: readonly (OperatorInput | null)[];
  readonly outputs: readonly (OperatorOutput | null)[];
  readonly threads?: number;
}

export const floats = (shape: readonly number[], values: Float32Array): OperatorInput => {
  return { type: 'float32', shape, values };
};

const elementBytes: Partial<Record<ElementType, number>> = {
  float32: 4,
  int32: 4,
  int64: 8,
  float16: 2,
  uint8: 1,
  bool: 1,
};
const bytesOf = ({ type, shape }: OperatorOutput) =>
  shape.reduce((product, size) => product * size, elementBytes[type] ?? Number.NaN);

/** What outputs hold before a run: a number that is not one in whatever type, so that what is not written shows. */
const unwritten = 0xff;

/**
 * Runs one of Tiller's own operators by itself, in a graph of one node. Returns the bytes of its inputs afterwards (attention writes
 * two of them) and of its outputs; none for those that were left out.
 */
export async function runOperator(run: OperatorRun): Promise<{ inputs: ArrayBuffer[]; outputs: ArrayBuffer[] }> {
  const kernels = await testKernels();
  const graph = new OnnxGraph();
  const named = (kind: string, tensors: readonly (OperatorOutput | null)[]) =>
    tensors.map((tensor, at) => (tensor === null ? '' : `${kind}${at}`));
  const names = { inputs: named('in', run.inputs), outputs: named('out', run.outputs) };
  run.inputs.forEach((tensor, at) => {
    if (tensor) graph.input(names.inputs[at] as string, tensor.type, tensor.shape);
  });
  const { attributes } = run;
  graph.node('node', run.operator, names.inputs, { attributes, domain: 'tiller', outputs: names.outputs });
  run.outputs.forEach((tensor, at) => {
    if (tensor) graph.output(names.outputs[at] as string, tensor.type, tensor.shape);
  });

  const environment = RuntimeEnvironment.acquire({ threads: run.threads ?? 1 });
  const undo: (() => void)[] = [() => environment.release()];
  try {
    const { api } = environment;
    const prepacked = api.create('CreatePrepackedWeightsContainer');
    undo.push(() => api.release('ReleasePrepackedWeightsContainer', prepacked));
    const session = await Session.create(environment, graph.serialize('operator'), new Map(), prepacked, kernels);
    undo.push(() => session.close());
    const place = (tensor: OperatorInput | OperatorOutput | null, name: string) => {
      if (tensor === null) return null;
      const byteLength = bytesOf(tensor);
      const memory = NativeMemory.reserve(byteLength);
      undo.push(() => memory.free());
      const bytes = memory.bytes.subarray(0, byteLength);
      if ('values' in tensor) {
        const { buffer, byteOffset, byteLength: given } = tensor.values;
        bytes.set(new Uint8Array(buffer, byteOffset, given));
        if (given !== byteLength) throw new Error(`${name} of ${run.operator} has ${given} bytes, not ${byteLength}`);
      } else bytes.fill(unwritten);
      const view = new TensorView(environment, { address: memory.address, byteLength }, tensor.type, tensor.shape);
      undo.push(() => view.release());
      return { name, bytes, view };
    };
    const inputs = run.inputs.map((tensor, at) => place(tensor, names.inputs[at] as string));
    const outputs = run.outputs.map((tensor, at) => place(tensor, names.outputs[at] as string));
    const views = (places: typeof inputs) => new Map(places.flatMap((each) => (each ? [[each.name, each.view]] : [])));
    const binding = session.bind(views(inputs), views(outputs));
    undo.push(() => binding.release());
    await session.run(binding);
    const copies = (places: typeof inputs) => places.map((each) => Uint8Array.from(each?.bytes ?? []).buffer);
    return { inputs: copies(inputs), outputs: copies(outputs) };
  } finally {
    for (const step of undo.reverse()) step();
  }
}
