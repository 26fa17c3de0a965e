import type { OnnxGraph } from './onnx.ts';

/** Heads that are wider for attention than they are: zeros stand behind each, which change no score and give zeros. */
export interface HeadPadding {
  readonly heads: number;
  /** Width of a head, and what attention takes it for. */
  readonly from: number;
  readonly to: number;
}

/** Zeros behind every head: [B, S, heads · from] → [B, S, heads · to]. */
export function padHeads(graph: OnnxGraph, x: string, { heads, from, to }: HeadPadding): string {
  if (from === to) return x;
  const apart = graph.node(`${x}/by_head`, 'Reshape', [x, graph.integers([0, 0, heads, from])]);
  const padded = graph.node(`${x}/padded`, 'Pad', [apart, graph.integers([0, 0, 0, 0, 0, 0, 0, to - from])]);
  return graph.node(`${x}/wide`, 'Reshape', [padded, graph.integers([0, 0, heads * to])]);
}

/** The same undone, under a name of its own: [B, S, heads · to] → [B, S, heads · from]. */
export function cutHeads(graph: OnnxGraph, x: string, { heads, from, to }: HeadPadding): string {
  if (from === to) return x;
  const apart = graph.node(`${x}/by_head`, 'Reshape', [x, graph.integers([0, 0, heads, to])]);
  const bounds = [[0], [from], [3]].map((values) => graph.integers(values));
  const cut = graph.node(`${x}/cut`, 'Slice', [apart, ...bounds]);
  return graph.node(`${x}/narrow`, 'Reshape', [cut, graph.integers([0, 0, heads * from])]);
}
