import type { ModelConfig } from '../core/index.ts';
import { type GraphOptions, ports, rotaryTables } from './names.ts';
import type { OnnxGraph } from './onnx.ts';

export interface AttentionInputs extends GraphOptions {
  readonly block: number;
  /** Tokens that a cache slot holds. */
  readonly context: number;
  /** Queries, keys and values, or one tensor with the three side by side. */
  readonly projected: readonly string[];
  /** Factors of each token of `projected` that it has still to be multiplied by; '' without. */
  readonly rowScale: string;
}

/** Rotary grouped-query attention over a block's cache, which is read and written in place. Returns z, [B, S, heads · head width]. */
export function addAttention(graph: OnnxGraph, config: ModelConfig, inputs: AttentionInputs): string {
  const { block, context, operators, keyValueType } = inputs;
  const { keyValueHeads, headDim } = config;
  const cache = ['B', keyValueHeads, context, headDim] as const;
  for (const name of [ports.pastKey(block), ports.pastValue(block)]) graph.input(name, keyValueType, cache);
  const table = [context, headDim / 2];
  const rotary = [graph.weight(rotaryTables.cosine, table), graph.weight(rotaryTables.sine, table)];
  if (operators === 'tiller') return addOwn(graph, config, inputs, rotary);
  for (const name of [ports.presentKey(block), ports.presentValue(block)]) graph.output(name, 'float32', cache);
  return addGroupQueryAttention(graph, config, inputs, rotary);
}

/** engine/kernels/attention.cpp writes the cache that it is given as inputs. */
function addOwn(graph: OnnxGraph, config: ModelConfig, inputs: AttentionInputs, rotary: readonly string[]): string {
  const { block, projected, rowScale, keyValueType } = inputs;
  const operator = keyValueType === 'float16' ? 'HalfAttention' : 'Attention';
  const [q = '', k = '', v = ''] = projected;
  const cache = [ports.pastKey(block), ports.pastValue(block)];
  return graph.node(`blocks.${block}.attn.z`, operator, [q, k, v, ...cache, ports.lastPositions, ...rotary, rowScale], {
    attributes: {
      heads: config.heads,
      kv_heads: config.keyValueHeads,
      scale: { float: 1 / Math.sqrt(config.headDim) },
    },
    domain: 'tiller',
  });
}

function addGroupQueryAttention(
  graph: OnnxGraph,
  { heads, keyValueHeads }: ModelConfig,
  { block, projected }: AttentionInputs,
  rotary: readonly string[],
): string {
  const name = `blocks.${block}.attn.z`;
  const [q = '', k = '', v = ''] = projected;
  const past = [ports.pastKey(block), ports.pastValue(block)];
  const present = [ports.presentKey(block), ports.presentValue(block)];
  return graph.node(
    name,
    'GroupQueryAttention',
    [q, k, v, ...past, ports.lastPositions, ports.totalLength, ...rotary],
    {
      attributes: { num_heads: heads, kv_num_heads: keyValueHeads, do_rotary: 1, rotary_interleaved: 0 },
      domain: 'com.microsoft',
      outputs: [name, ...present],
    },
  );
}
