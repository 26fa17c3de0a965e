import { TillerError } from './errors.ts';
import type { HookPointShape } from './hook-point-shapes.ts';
import { nearest } from './nearest.ts';

/** Residual-stream sites of a block, in the order the model reaches them. */
export const streamSites = ['hook_resid_pre', 'hook_resid_mid', 'hook_resid_post'] as const;
export type StreamSite = (typeof streamSites)[number];

/** A parsed address: `hook_embed`, or a stream site of one block. TransformerLens spelling. */
export type HookPoint = { readonly site: 'hook_embed' } | { readonly site: StreamSite; readonly block: number };

/** `blocks.15.hook_resid_post` and back. */
export function formatHookPoint(point: HookPoint): string {
  return point.site === 'hook_embed' ? point.site : `blocks.${point.block}.${point.site}`;
}

/** What decides which places a decoder's stream has. */
export interface StreamPlaces {
  readonly blocks: number;
  /** Attention and MLP are added at once: no block has a `hook_resid_mid`. */
  readonly parallelResidual?: boolean;
  /** All of the decoder's hook points with the shapes of a token's values (hook-point-shapes.ts); the stream's alone where it is not given. */
  readonly hookPoints?: ReadonlyMap<string, HookPointShape>;
}

/** Every place of the stream that this engine can tap and edit in a model; a number stands for so many blocks. */
export function listHookPoints(decoder: number | StreamPlaces): string[] {
  const { blocks, parallelResidual = false } = typeof decoder === 'number' ? { blocks: decoder } : decoder;
  const sites = streamSites.filter((site) => site !== 'hook_resid_mid' || !parallelResidual);
  const names = ['hook_embed'];
  for (let block = 0; block < blocks; block++) for (const site of sites) names.push(`blocks.${block}.${site}`);
  return names;
}

/** Parses an address; throws `hook_point_not_found` with the nearest names. */
export function parseHookPoint(name: string, decoder: number | StreamPlaces, param?: string): HookPoint {
  const places: StreamPlaces = typeof decoder === 'number' ? { blocks: decoder } : decoder;
  const { blocks, parallelResidual = false, hookPoints = new Map<string, HookPointShape>() } = places;
  if (name === 'hook_embed') return { site: 'hook_embed' };
  const match = /^blocks\.(\d+)\.(hook_resid_(?:pre|mid|post))$/.exec(name);
  const block = Number(match?.[1]);
  const missing = parallelResidual && match?.[2] === 'hook_resid_mid';
  if (!match || block >= blocks || missing) {
    const why = missing ? ': its blocks add attention and MLP to the stream at once' : ` of ${blocks} blocks`;
    throw new TillerError('hook_point_not_found', `No hook point '${name}' in this model${why}.`, {
      param,
      suggestions: nearest(name, [...listHookPoints(decoder), ...hookPoints.keys()]),
    });
  }
  return { site: match[2] as StreamSite, block };
}

/**
 * One spelling for each place: `blocks.L.hook_resid_post` and `blocks.(L+1).hook_resid_pre` are the same stream. The canonical
 * form is `hook_resid_pre` for the stream that enters block 0, `hook_resid_post` otherwise; `hook_embed` stays itself: positions
 * may be added after it.
 */
export function canonicalHookPoint(point: HookPoint): HookPoint {
  if (point.site === 'hook_resid_pre' && point.block > 0) return { site: 'hook_resid_post', block: point.block - 1 };
  return point;
}
