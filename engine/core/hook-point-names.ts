import { canonicalHookPoint, formatHookPoint, parseHookPoint, type StreamPlaces } from './hook-point.ts';

/** What Hugging Face's module paths put before a block's number, for all families; sparsify leaves it out down to `layers`. */
const blockPath = /^(?:model\.layers|layers|transformer\.h|h|gpt_neox\.layers)\.(\d{1,5})(?:\.(.+))?$/;
const mlpModules = new Set(['mlp']);
const attentionModules = new Set(['self_attn', 'attn', 'attention']);

/**
 * The canonical spelling of a hook point: TransformerLens' names, of the stream's places the one that comes first, and for Hugging Face's module paths what
 * the module gives out: `model.layers.5` is `blocks.5.hook_resid_post`, `model.layers.5.mlp` (sparsify: `layers.5.mlp`) is
 * `blocks.5.mlp.hook_out`, `model.layers.5.self_attn` is `blocks.5.hook_attn_out` (but where that is normalised before it enters the stream).
 * Throws `hook_point_not_found` with the nearest names.
 */
export function resolveHookPoint(name: string, places: StreamPlaces, param?: string): string {
  const plain = hookPointOfModule(name, places) ?? name;
  if (places.hookPoints?.has(plain)) return plain;
  return formatHookPoint(canonicalHookPoint(parseHookPoint(plain, places, param)));
}

/** Null for what is no path of a module, or of one whose output no hook point is. */
function hookPointOfModule(name: string, { hookPoints }: StreamPlaces): string | null {
  const [, block, module] = blockPath.exec(name) ?? [];
  if (block === undefined) return null;
  const at = (hook: string) => `blocks.${Number(block)}.${hook}`;
  if (module === undefined) return at('hook_resid_post');
  if (mlpModules.has(module)) return at('mlp.hook_out');
  if (attentionModules.has(module) && !hookPoints?.has(at('ln1_post.hook_scale'))) return at('hook_attn_out');
  return null;
}

/** Other names of a hook point in canonical spelling, that `resolveHookPoint` takes. */
export function hookPointAliases(name: string, places: StreamPlaces): string[] {
  const [, block, hook] = /^blocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (block === undefined) return [];
  const next = Number(block) + 1;
  const candidates: Readonly<Record<string, readonly string[]>> = {
    hook_resid_post: [
      ...(next < places.blocks ? [`blocks.${next}.hook_resid_pre`] : []),
      `model.layers.${block}`,
      `layers.${block}`,
    ],
    'mlp.hook_out': [`model.layers.${block}.mlp`, `layers.${block}.mlp`],
    hook_attn_out: [`model.layers.${block}.self_attn`, `layers.${block}.self_attn`],
  };
  const named = Object.hasOwn(candidates, hook ?? '') ? (candidates[hook ?? ''] ?? []) : [];
  return named.filter((alias) => resolvesTo(alias, name, places));
}

function resolvesTo(alias: string, name: string, places: StreamPlaces): boolean {
  try {
    return resolveHookPoint(alias, places) === name;
  } catch {
    return false;
  }
}
