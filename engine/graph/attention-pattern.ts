import type { ModelConfig } from '../core/index.ts';
import { type GraphOptions, ports } from './names.ts';
import { elementTypes, type OnnxGraph } from './onnx.ts';
import type { Sites } from './sites.ts';
import { addSoftCap } from './soft-cap.ts';
import type { VisibleKeys } from './visible-keys.ts';

/** The hook points of a block that are as wide as there are keys. */
export function patternHooks(block: number) {
  const at = `blocks.${block}.attn`;
  return { scores: `${at}.hook_attn_scores`, pattern: `${at}.hook_pattern` } as const;
}

export interface PatternInputs extends GraphOptions {
  readonly block: number;
  /** [B, S, heads · head width], as attention compares them. */
  readonly queries: string;
  /** What attention gave, [B, S, …]: once it is there, this step's keys are in the cache. */
  readonly z: string;
  readonly keys: VisibleKeys;
}

/**
 * Gives out how attention compares queries with keys, and how it weighs values by that, both [B, heads, S, K]:
 *
 *     scores = cap(scale · q·k)  where a key is visible, else −∞ ;  pattern = softmax over keys, exactly 0 where one is not
 *
 * Attention itself makes its scores a few keys at a time and keeps none, so they are made once more from the keys in the cache, as it
 * reads them (rounded, where they are kept in half precision). What attention gives does not depend on any of it.
 */
export function tapPattern(graph: OnnxGraph, config: ModelConfig, inputs: PatternInputs, sites: Sites): void {
  const { block, keys } = inputs;
  const hooks = patternHooks(block);
  if (!sites.wants(hooks.scores, hooks.pattern)) return;
  const { heads, attention, layers } = config;
  const visible = keys.mask(layers[block]?.window ?? null);
  const at = (name: string) => `${hooks.scores}/${name}`;
  const products = addProducts(graph, config, inputs, at);
  const capped = attention.softCap === null ? products : addSoftCap(graph, products, attention.softCap, at('capped'));
  const hidden = graph.scalar(Number.NEGATIVE_INFINITY);
  const scores = graph.node(at('masked'), 'Where', [visible, capped, hidden]);
  sites.offerByKeys(hooks.scores, scores, heads);
  if (!sites.wants(hooks.pattern)) return;
  const weights = graph.node(`${hooks.pattern}/softmax`, 'Softmax', [scores], { attributes: { axis: -1 } });
  // ONNX Runtime's exponential of −∞ is a tiny number.
  const pattern = graph.node(`${hooks.pattern}/visible`, 'Where', [visible, weights, graph.scalar(0)]);
  sites.offerByKeys(hooks.pattern, pattern, heads);
}

/** scale · q·k of every head, [B, heads, S, K]; the queries of heads that share keys stand below each other meanwhile. */
function addProducts(
  graph: OnnxGraph,
  { heads, keyValueHeads, headDim, attention }: ModelConfig,
  { block, queries, z, keys, operators, keyValueType }: PatternInputs,
  at: (name: string) => string,
): string {
  const group = heads / keyValueHeads;
  const byHead = graph.node(at('by_head'), 'Reshape', [queries, graph.integers([0, 0, keyValueHeads, group, headDim])]);
  const turned = graph.node(at('turned'), 'Transpose', [byHead], { attributes: { perm: [0, 2, 3, 1, 4] } });
  const grouped = graph.node(at('grouped'), 'Reshape', [turned, graph.integers([0, keyValueHeads, -1, headDim])]);
  // A step has no more tokens than keys: z says nothing here but that attention comes first.
  const tokens = graph.node(at('tokens'), 'Shape', [z], { attributes: { start: 1, end: 2 } });
  const count = graph.node(at('count'), 'Max', [keys.number(), tokens]);
  const own = operators === 'tiller';
  const cache = own ? ports.pastKey(block) : ports.presentKey(block);
  const first = graph.node(at('first'), 'Slice', [cache, graph.integers([0]), count, graph.integers([2])]);
  const held = own ? graph.node(at('held'), 'Gather', [first, ports.slots]) : first;
  const read =
    keyValueType === 'float16'
      ? graph.node(at('read'), 'Cast', [held], { attributes: { to: elementTypes.float32 } })
      : held;
  const compared = graph.node(at('compared'), 'FusedMatMul', [grouped, read], {
    attributes: { transB: 1, alpha: { float: attention.scale } },
    domain: 'com.microsoft',
  });
  return graph.node(at('products'), 'Reshape', [compared, graph.integers([0, heads, -1, 0])]);
}
