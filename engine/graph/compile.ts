import { type ModelConfig, TillerError } from '../core/index.ts';
import { addBlock } from './block.ts';
import { blocksNeeded } from './depth.ts';
import { addEmbedding } from './embedding.ts';
import { hookPointOfEncoder } from './encode-port.ts';
import { LinearBuilder, type LinearOptions } from './linear.ts';
import { addLogits } from './logits.ts';
import { type GraphOptions, ports } from './names.ts';
import { normWeights } from './norm.ts';
import { type GraphPort, OnnxGraph } from './onnx.ts';
import { Positions } from './positions.ts';
import { type OpenSites, Sites } from './sites.ts';
import { ResidualStream } from './stream.ts';
import { VisibleKeys } from './visible-keys.ts';

/** One variant of a model as an ONNX model, and what a session must be given to run it. */
export interface CompiledGraph {
  /** ModelProto. */
  readonly bytes: Uint8Array;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  /** Weights by name → shape; checkpoint tensors by their Hugging Face names, and the rotary tables. */
  readonly weights: ReadonlyMap<string, readonly number[]>;
  readonly operators: readonly { readonly name: string; readonly operator: string }[];
  /** How many blocks it runs, from the first on: those whose keys and values a step writes. */
  readonly blocks: number;
}

const everythingDense: LinearOptions = { forms: new Map(), blockInput: 'float32' };

/**
 * Compiles a decoder with the given hook points opened. Nothing of an edit or a tap is in the graph of a variant that does
 * not name it. `context` is the number of tokens a cache slot holds; `linears` says how linear layers are computed, `options` how
 * the rest is. Throws `checkpoint_unsupported`, `unsupported` for a graph that would give out nothing, and
 * `hook_point_not_found` for a place that the decoder does not pass.
 *
 * With `open.tapsOnly` the graph ends where the last hook point does. What is made at that place is made by the nodes of the whole graph
 * (the stream after a block by the norm that comes next, which sums it), so that its bits are the same. With `open.startsAt` it begins with
 * that block (the number of blocks: with the last norm), and takes the stream that enters it.
 */
export function compileDecoder(
  config: ModelConfig,
  context: number,
  open: OpenSites,
  linears: LinearOptions = everythingDense,
  options: GraphOptions = { operators: 'onnxruntime', keyValueType: 'float32' },
): CompiledGraph {
  const encoders = [...(open.encoders ?? [])];
  if (open.tapsOnly && open.taps.size + encoders.length === 0) {
    throw new TillerError('unsupported', 'A graph that gives out nothing but taps needs a tap, or an encoder.');
  }
  const graph = new OnnxGraph();
  const { dModel } = config;
  const { tapsOnly = false, startsAt } = open;
  if (startsAt !== undefined && (tapsOnly || startsAt < 1 || startsAt > config.blocks)) {
    throw new TillerError(
      'unsupported',
      `No graph of ${config.blocks} blocks that gives out logits starts at ${startsAt}.`,
    );
  }
  const blocks = tapsOnly
    ? blocksNeeded(
        [...open.taps, ...open.edits, ...(open.replaced ?? []), ...encoders.map(hookPointOfEncoder)],
        config.blocks,
      )
    : config.blocks;
  graph.input(ports.inputIds, 'int64', ['B', 'S']);
  graph.input(ports.lastPositions, 'int32', ['B']);
  graph.input(ports.totalLength, 'int32', []);
  if (options.operators === 'tiller') graph.input(ports.slots, 'int32', ['B']);
  if (!tapsOnly) graph.input(ports.logitIndices, 'int64', ['R']);

  const { operators } = options;
  const sites = new Sites(graph, open, operators);
  const each = new Positions(graph);
  const keys = new VisibleKeys(graph, each);
  const entered = startsAt === undefined ? null : graph.input(ports.stream, 'float32', ['B', 'S', dModel]);
  const { embedded, positions } =
    entered === null ? addEmbedding(graph, config, each, sites) : { embedded: entered, positions: null };
  const builder = new LinearBuilder(graph, linears, options.operators);
  const streamOptions = { dModel, epsilon: config.normEpsilon, sites, operators, linears: builder };
  const stream = new ResidualStream(graph, embedded, streamOptions);
  if (positions !== null) stream.add(positions);
  // nothing is left to add to what enters; but the whole graph's norm there is one that sums
  if (entered !== null) stream.add(graph.node('stream/nothing', 'Sub', [entered, entered]));
  for (let block = startsAt ?? 0; block < blocks; block++) {
    addBlock(graph, stream, builder, config, { block, context, positions: each, keys, sites, options });
  }
  const end = blocks === 0 ? 'blocks.0.hook_resid_pre' : `blocks.${blocks - 1}.hook_resid_post`;
  let last = '';
  if (blocks === config.blocks) {
    const weights = normWeights(graph, config.norm, 'model.norm', dModel);
    const made = stream.normalized(end, weights);
    last = sites.passNorm('ln_final', { x: stream.current, made, weights }, config);
  } else if (sites.wants(end)) {
    stream.normalized(end, normWeights(graph, config.norm, `model.layers.${blocks}.input_layernorm`, dModel));
  }
  const [missing] = sites.missing();
  if (missing !== undefined) {
    const reason = `'${missing}' is not a place of this model that can be opened like that, in its canonical spelling.`;
    throw new TillerError('hook_point_not_found', reason);
  }
  if (!tapsOnly) addLogits(graph, builder, config, last, operators);
  return {
    bytes: graph.serialize(config.family),
    inputs: graph.inputs,
    outputs: graph.outputs,
    weights: graph.weights,
    operators: graph.operators,
    blocks,
  };
}
