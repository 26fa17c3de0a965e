import type { ModelConfig, OperatorSet, UnembeddingKind } from '../core/index.ts';
import type { CompiledGraph } from './compile.ts';
import { LinearBuilder, type LinearOptions } from './linear.ts';
import { addUnembedding } from './logits.ts';
import { type GraphOptions, ports } from './names.ts';
import { addSkipNorm, type NormWeights, normWeights } from './norm.ts';
import { OnnxGraph } from './onnx.ts';

/**
 * The end of a decoder as a graph of its own: vectors [R, width] to logits (core/unembedding.ts says what each kind of vector goes
 * through), over the weights and by the nodes that the whole decoder has there, so that what the last block gives comes out with the
 * decoder's own bits.
 */
export function compileUnembedding(
  config: ModelConfig,
  kind: UnembeddingKind,
  linears: LinearOptions,
  options: GraphOptions,
): CompiledGraph {
  const graph = new OnnxGraph();
  const builder = new LinearBuilder(graph, linears, options.operators);
  const vectors = graph.input(ports.vectors, 'float32', ['R', config.dModel]);
  const weights = normWeights(graph, kind === 'direction' ? 'rms' : config.norm, 'model.norm', config.dModel);
  const end =
    kind === 'stream'
      ? addFinalNorm(graph, config, vectors, weights, options.operators)
      : addGain(graph, kind === 'direction' && config.norm === 'layer' ? centred(graph, vectors) : vectors, weights);
  const asked = kind === 'direction' ? { ...config, finalSoftCap: null } : config;
  addUnembedding(graph, builder, asked, end, options.operators);
  return {
    bytes: graph.serialize('unembedding'),
    inputs: graph.inputs,
    outputs: graph.outputs,
    weights: graph.weights,
    operators: graph.operators,
    blocks: 0,
  };
}

/** By the operator of the decoder's last norm (stream.ts), which sums the last sublayer's output meanwhile: here that is nothing. */
function addFinalNorm(
  graph: OnnxGraph,
  config: ModelConfig,
  value: string,
  weights: NormWeights,
  operators: OperatorSet,
): string {
  const name = 'unembedding/norm';
  if (operators === 'tiller' && weights.bias === null) {
    graph.node(name, 'ResidualNorm', [value, '', '', weights.weight], {
      attributes: { epsilon: { float: config.normEpsilon } },
      domain: 'tiller',
      outputs: ['', name],
    });
    return name;
  }
  const pending = graph.node('unembedding/nothing', 'Mul', [value, graph.scalar(0)]);
  addSkipNorm(graph, config, { name, value, pending, sum: 'unembedding/sum' }, weights);
  return name;
}

/** What a norm does after it has divided. */
function addGain(graph: OnnxGraph, x: string, { weight, bias }: NormWeights): string {
  const gained = graph.node('unembedding/gained', 'Mul', [x, weight]);
  return bias === null ? gained : graph.node('unembedding/shifted', 'Add', [gained, bias]);
}

/** A layer norm takes the mean off. */
function centred(graph: OnnxGraph, x: string): string {
  const mean = graph.node('unembedding/mean', 'ReduceMean', [x, graph.integers([-1])], { attributes: { keepdims: 1 } });
  return graph.node('unembedding/centred', 'Sub', [x, mean]);
}
