import type { ModelConfig, NormKind } from '../core/index.ts';
import type { OnnxGraph } from './onnx.ts';

/** Names of a norm's weights; a norm of kind `rms` has no bias. */
export interface NormWeights {
  readonly weight: string;
  readonly bias: string | null;
}

/** Declares the weights of a norm over `width` numbers. */
export function normWeights(graph: OnnxGraph, kind: NormKind, module: string, width: number): NormWeights {
  const weight = graph.weight(`${module}.weight`, [width]);
  return { weight, bias: kind === 'layer' ? graph.weight(`${module}.bias`, [width]) : null };
}

/** x, normalised over its last axis. */
export function addNorm(
  graph: OnnxGraph,
  { normEpsilon }: Pick<ModelConfig, 'normEpsilon'>,
  name: string,
  x: string,
  { weight, bias }: NormWeights,
): string {
  const attributes = { axis: -1, epsilon: { float: normEpsilon }, stash_type: 1 };
  if (bias === null) return graph.node(name, 'SimplifiedLayerNormalization', [x, weight], { attributes });
  return graph.node(name, 'LayerNormalization', [x, weight, bias], { attributes });
}

/** The norm of value + pending, and under `sum` what it is the norm of. */
export function addSkipNorm(
  graph: OnnxGraph,
  { normEpsilon }: Pick<ModelConfig, 'normEpsilon'>,
  { name, value, pending, sum }: { name: string; value: string; pending: string; sum: string },
  { weight, bias }: NormWeights,
): string {
  const operator = bias === null ? 'SkipSimplifiedLayerNormalization' : 'SkipLayerNormalization';
  return graph.node(name, operator, [value, pending, weight, ...(bias === null ? [] : [bias])], {
    attributes: { epsilon: { float: normEpsilon } },
    domain: 'com.microsoft',
    outputs: [name, '', '', sum],
  });
}
