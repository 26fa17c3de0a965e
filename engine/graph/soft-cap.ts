import type { OnnxGraph } from './onnx.ts';

/** c·tanh(x/c), under the name `output`, which it returns. */
export function addSoftCap(graph: OnnxGraph, x: string, cap: number, output: string): string {
  const inner = graph.node(`${x}/inner`, 'Div', [x, graph.scalar(cap)]);
  const bounded = graph.node(`${x}/bounded`, 'Tanh', [inner]);
  return graph.node(output, 'Mul', [bounded, graph.scalar(cap)]);
}
