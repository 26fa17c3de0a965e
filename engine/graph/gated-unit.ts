import type { OperatorSet } from '../core/index.ts';
import type { LinearBuilder } from './linear.ts';
import type { OnnxGraph } from './onnx.ts';

export interface GatedUnit {
  /** Of the result. */
  readonly name: string;
  /** Gate and up, or one tensor with both side by side. */
  readonly products: readonly string[];
  /** The group of linear layers that alone reads the result; null for anything else. */
  readonly reader: string | null;
  readonly operators: OperatorSet;
}

/** silu(gate) · up, the SwiGLU of Shazeer 2020; rounded to 8 bits at once where its reader wants that. */
export function addGatedUnit(graph: OnnxGraph, linears: LinearBuilder, unit: GatedUnit): string {
  const { name, products, reader, operators } = unit;
  const [gate = '', up = ''] = products;
  if (operators === 'tiller') {
    const inputs = [gate, up, linears.rowScale(gate)];
    if (reader === null || !linears.takesQuanta(reader)) return graph.node(name, 'Gated', inputs, { domain: 'tiller' });
    const quantised = { quanta: `${name}/quanta`, scale: `${name}/scale` };
    graph.node(name, 'Gated', inputs, { domain: 'tiller', outputs: ['', quantised.quanta, quantised.scale] });
    linears.know(name, quantised);
    return name;
  }
  // ONNX Runtime's operators take them apart (mlp.ts).
  const sigmoid = graph.node(`${name}/sigmoid`, 'Sigmoid', [gate]);
  const activated = graph.node(`${name}/silu`, 'Mul', [gate, sigmoid]);
  return graph.node(name, 'Mul', [activated, up]);
}
