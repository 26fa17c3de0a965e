import type { ModelConfig } from '../core/index.ts';
import { addNorm } from './norm.ts';
import type { OnnxGraph } from './onnx.ts';

/** One of the matrices whose products may stand side by side. */
export interface Projection {
  readonly name: string;
  /** `….weight`; its bias is `….bias`. */
  readonly weight: string;
  readonly out: number;
}

/** Queries, keys and values each by themselves and with their biases, [B, S, out], from three products or from one with all side by side. */
export function separate(
  graph: OnnxGraph,
  products: readonly string[],
  parts: readonly Projection[],
  biases: boolean,
): string[] {
  const split = products.length === 1 ? splitUp(graph, products[0] ?? '', parts) : products;
  if (!biases) return [...split];
  return parts.map(({ name, weight, out }, i) => {
    return graph.node(name, 'Add', [split[i] ?? '', graph.weight(weight.replace(/weight$/, 'bias'), [out])]);
  });
}

function splitUp(graph: OnnxGraph, product: string, parts: readonly Projection[]): string[] {
  const outputs = parts.map(({ name }) => `${name}/split`);
  const sizes = graph.integers(parts.map(({ out }) => out));
  graph.node(`${product}/split`, 'Split', [product, sizes], { attributes: { axis: -1 }, outputs });
  return outputs;
}

/** RMS norm of each head by itself; [B, S, heads · head width] before and after. */
export function addHeadNorm(graph: OnnxGraph, config: ModelConfig, x: string, weight: string): string {
  const heads = graph.node(`${x}/heads`, 'Reshape', [x, graph.integers([0, 0, -1, config.headDim])]);
  const normalised = addNorm(graph, config, `${x}/head_norm`, heads, { weight, bias: null });
  return graph.node(`${x}/normalised`, 'Reshape', [normalised, graph.integers([0, 0, -1])]);
}
