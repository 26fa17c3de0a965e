import type { LayerAttention, ModelConfig, OperatorSet } from '../core/index.ts';
import { patternHooks } from './attention-pattern.ts';
import { type GraphOptions, ports, rotaryTables } from './names.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Positions } from './positions.ts';
import type { Sites } from './sites.ts';

/** GroupQueryAttention rotates multiples of so many of a head's dimensions. */
const rotaryUnit = 16;

/** Whether queries and keys have to be rotated by a node of their own, each by themselves. */
export function rotatesApart(config: ModelConfig, block: number, operators: OperatorSet): boolean {
  const index = config.layers[block]?.rotary ?? null;
  if (operators === 'tiller' || index === null) return false;
  return (config.rotary[index]?.dimensions ?? 0) % rotaryUnit !== 0;
}

export interface AttentionInputs extends GraphOptions {
  readonly block: number;
  /** Tokens that a cache slot holds. */
  readonly context: number;
  readonly positions: Positions;
  /** Queries, keys and values, or one tensor with the three side by side. */
  readonly projected: readonly string[];
  /** Factors of each token of `projected` that it has still to be multiplied by; '' without. */
  readonly rowScale: string;
}

/** Grouped-query attention over a block's cache, which is read and written in place. Returns z, [B, S, heads · head width]. */
export function addAttention(graph: OnnxGraph, config: ModelConfig, inputs: AttentionInputs): string {
  const { block, context, operators, keyValueType } = inputs;
  const { keyValueHeads, headDim } = config;
  const cache = [operators === 'tiller' ? 'N' : 'B', keyValueHeads, context, headDim] as const;
  for (const name of [ports.pastKey(block), ports.pastValue(block)]) graph.input(name, keyValueType, cache);
  const layer = config.layers[block] ?? { window: null, rotary: null };
  const rotary = rotaryWeights(graph, config, layer.rotary, context);
  if (operators === 'tiller') return addOwn(graph, config, { ...inputs, layer, rotary });
  for (const name of [ports.presentKey(block), ports.presentValue(block)]) graph.output(name, 'float32', cache);
  if (!rotatesApart(config, block, operators)) {
    return addGroupQueryAttention(graph, config, { ...inputs, layer, rotary });
  }
  const [q = '', k = '', v = ''] = inputs.projected;
  const rotated = [q, k].map((x, i) => addRotation(graph, x, i === 0 ? config.heads : keyValueHeads, inputs, rotary));
  return addGroupQueryAttention(graph, config, { ...inputs, projected: [...rotated, v], layer, rotary: [] });
}

/**
 * Gives out queries and keys as attention compares them; `projected` are the three, each by itself. Returns such queries where they are
 * given out or the pattern is made of them; else those that came.
 */
export function tapRotated(graph: OnnxGraph, config: ModelConfig, inputs: AttentionInputs, sites: Sites): string {
  const { block, context, projected } = inputs;
  const compared = [...projected];
  const rotary = rotaryWeights(graph, config, config.layers[block]?.rotary ?? null, context);
  if (rotary.length === 0) return compared[0] ?? '';
  const readers = { q: Object.values(patternHooks(block)), k: [] };
  for (const [i, name] of (['q', 'k'] as const).entries()) {
    const hook = `blocks.${block}.attn.hook_rot_${name}`;
    if (!sites.wants(hook, ...readers[name])) continue;
    const heads = name === 'q' ? config.heads : config.keyValueHeads;
    // A name of its own: attention may rotate the same tensor by a node.
    const copy = graph.node(`${hook}/copy`, 'Identity', [projected[i] ?? '']);
    compared[i] = addRotation(graph, copy, heads, inputs, rotary);
    sites.offer(hook, compared[i] ?? '', heads * config.headDim);
  }
  return compared[0] ?? '';
}

/** The first dimensions of each head rotated, as many as the tables are wide twice; [B, S, heads · head width] before and after. */
function addRotation(
  graph: OnnxGraph,
  x: string,
  heads: number,
  { positions }: AttentionInputs,
  rotary: readonly string[],
): string {
  const dimensions = 2 * (graph.weights.get(rotary[0] ?? '')?.[1] ?? 0);
  return graph.node(`${x}/rotated`, 'RotaryEmbedding', [x, positions.each(), ...rotary], {
    attributes: { interleaved: 0, num_heads: heads, rotary_embedding_dim: dimensions },
    domain: 'com.microsoft',
  });
}

interface LayerInputs extends AttentionInputs {
  readonly layer: LayerAttention;
  /** Tables of cosines and sines; none where nothing is rotated. */
  readonly rotary: readonly string[];
}

function rotaryWeights(graph: OnnxGraph, config: ModelConfig, index: number | null, context: number): string[] {
  const embedding = index === null ? undefined : config.rotary[index];
  if (index === null || embedding === undefined) return [];
  const { cosine, sine } = rotaryTables(index);
  return [cosine, sine].map((name) => graph.weight(name, [context, embedding.dimensions / 2]));
}

/** engine/kernels/attention.cpp writes the cache that it is given as inputs. */
function addOwn(graph: OnnxGraph, config: ModelConfig, inputs: LayerInputs): string {
  const { block, projected, rowScale, keyValueType, layer, rotary } = inputs;
  const operator = keyValueType === 'float16' ? 'HalfAttention' : 'Attention';
  const [q = '', k = '', v = ''] = projected;
  const [cosine = '', sine = ''] = rotary;
  const cache = [ports.pastKey(block), ports.pastValue(block)];
  const all = [q, k, v, ...cache, ports.lastPositions, cosine, sine, rowScale, ports.slots];
  return graph.node(`blocks.${block}.attn.z`, operator, all, {
    attributes: {
      heads: config.heads,
      kv_heads: config.keyValueHeads,
      scale: { float: config.attention.scale },
      ...(config.attention.softCap === null ? {} : { softcap: { float: config.attention.softCap } }),
      ...(layer.window === null ? {} : { window: layer.window }),
    },
    domain: 'tiller',
  });
}

function addGroupQueryAttention(
  graph: OnnxGraph,
  { heads, keyValueHeads, attention }: ModelConfig,
  { block, projected, layer, rotary }: LayerInputs,
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
      attributes: {
        num_heads: heads,
        kv_num_heads: keyValueHeads,
        do_rotary: rotary.length > 0 ? 1 : 0,
        rotary_interleaved: 0,
        scale: { float: attention.scale },
        ...(attention.softCap === null ? {} : { softcap: { float: attention.softCap } }),
        ...(layer.window === null ? {} : { local_window_size: layer.window }),
      },
      domain: 'com.microsoft',
      outputs: [name, ...present],
    },
  );
}
