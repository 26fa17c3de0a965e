/** Places of the residual stream that are read as they are, and what is added to it. */
const places = {
  hook_resid_pre: { after: 0, read: true },
  hook_attn_out: { after: 0.5, read: false },
  hook_resid_mid: { after: 0.5, read: true },
  hook_mlp_out: { after: 1, read: false },
  hook_resid_post: { after: 1, read: true },
} as const;

/**
 * How many blocks stand before a place of the residual stream: what is written at one depth is read at every later one. `read`: the
 * stream itself is there, not what is added to it. Null for any other hook point.
 */
export function streamDepth(hookPoint: string): { readonly depth: number; readonly read: boolean } | null {
  if (hookPoint === 'hook_embed') return { depth: 0, read: true };
  const [, block, name] = /^blocks\.(\d+)\.(hook_\w+)$/.exec(hookPoint) ?? [];
  const place = name !== undefined && Object.hasOwn(places, name) ? places[name as keyof typeof places] : null;
  return place === null ? null : { depth: Number(block) + place.after, read: place.read };
}
