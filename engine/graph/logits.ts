import { unembeddingGroup } from '../checkpoint/index.ts';
import type { ModelConfig, OperatorSet } from '../core/index.ts';
import type { LinearBuilder } from './linear.ts';
import { ports } from './names.ts';
import type { OnnxGraph } from './onnx.ts';
import { addSoftCap } from './soft-cap.ts';

/** How many of the largest logits a graph returns for each position. */
export const topCount = 256;

/** Logits of the chosen positions. */
export function addLogits(
  graph: OnnxGraph,
  linears: LinearBuilder,
  config: ModelConfig,
  normalized: string,
  operators: OperatorSet,
): void {
  const flat = graph.node('logits/flat', 'Reshape', [normalized, graph.integers([-1, config.dModel])]);
  const chosen = graph.node('logits/chosen', 'Gather', [flat, ports.logitIndices], { attributes: { axis: 0 } });
  addUnembedding(graph, linears, config, chosen, operators);
}

/** Logits of what the final norm made, [R, width]: all of them, their largest `topCount`, and the log of the sum of their exponentials. */
export function addUnembedding(
  graph: OnnxGraph,
  linears: LinearBuilder,
  config: ModelConfig,
  chosen: string,
  operators: OperatorSet,
): void {
  const { dModel, vocabularySize } = config;
  const top = Math.min(topCount, vocabularySize);
  const weight = config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  const { finalSoftCap } = config;
  const name = finalSoftCap === null ? ports.logits : 'logits/uncapped';
  linears.add({
    name,
    x: chosen,
    width: dModel,
    group: unembeddingGroup,
    tokens: 'chosen',
    mayFlatten: true,
    weights: [{ name, weight, out: vocabularySize }],
  });
  if (finalSoftCap !== null) addSoftCap(graph, name, finalSoftCap, ports.logits);
  if (operators === 'tiller') {
    const outputs = [ports.topValues, ports.topIndices, ports.logSumExp];
    graph.node('logits/top', 'TopLogits', [ports.logits], { attributes: { count: top }, domain: 'tiller', outputs });
  } else {
    addTop(graph, top);
  }
  graph.output(ports.logits, 'float32', ['R', vocabularySize]);
  graph.output(ports.topValues, 'float32', ['R', top]);
  graph.output(ports.topIndices, 'int64', ['R', top]);
  graph.output(ports.logSumExp, 'float32', ['R']);
}

function addTop(graph: OnnxGraph, top: number): void {
  graph.node('logits/top', 'TopK', [ports.logits, graph.integers([top])], {
    attributes: { axis: -1, largest: 1, sorted: 1 },
    outputs: [ports.topValues, ports.topIndices],
  });
  // The largest logit has probability 1 / Σ exp(logit − largest). ReduceLogSumExp would be several times slower than Softmax.
  const probabilities = graph.node('logits/probabilities', 'Softmax', [ports.logits], { attributes: { axis: -1 } });
  const first = graph.node('logits/first', 'Slice', [
    ports.topIndices,
    graph.integers([0]),
    graph.integers([1]),
    graph.integers([1]),
  ]);
  const likeliest = graph.node('logits/likeliest', 'GatherElements', [probabilities, first], {
    attributes: { axis: 1 },
  });
  const surprise = graph.node('logits/surprise', 'Log', [likeliest]);
  const largest = graph.node('logits/largest', 'Slice', [
    ports.topValues,
    graph.integers([0]),
    graph.integers([1]),
    graph.integers([1]),
  ]);
  const column = graph.node('logits/column', 'Sub', [largest, surprise]);
  graph.node('logits/log_sum_exp', 'Reshape', [column, graph.integers([-1])], { outputs: [ports.logSumExp] });
}
