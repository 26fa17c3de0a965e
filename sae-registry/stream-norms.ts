import { z } from 'zod';
import { canonicalHookPoint, formatHookPoint, parseHookPoint } from '../engine/core/index.ts';
import type { ModelFacts } from './model-facts.ts';
import { readOptionalJson } from './read-json.ts';
import { sourceInvalid } from './source-error.ts';

/** `stream-norms.json`: the median norm of a model's stream at its hook points, first position and sinks left out. */
const fileSchema = z.object({
  model: z.string(),
  /** Hash of the weights that were measured. */
  hash: z.string(),
  version: z.union([z.number(), z.string()]),
  norms: z.record(z.string(), z.number().positive().finite()),
});

export interface StreamNorms {
  readonly version: string;
  /** Median norm at a hook point, in either spelling of its place; null where it was not measured. */
  norm(hookPoint: string): number | null;
}

/**
 * Reads the stream norms of a model; null where there is no file, or where it was measured on other weights. Throws
 * `source_invalid` for a malformed file or an unknown hook point.
 */
export async function readStreamNorms(path: string, model: ModelFacts): Promise<StreamNorms | null> {
  const file = await readOptionalJson(path, fileSchema);
  if (file === null || file.model !== model.id || file.hash !== model.hash) return null;
  const norms = new Map<string, number>();
  for (const [name, norm] of Object.entries(file.norms)) {
    const place = canonicalName(name, model.blocks);
    if (place === null) throw sourceInvalid(`${path} names '${name}', which is no hook point of ${model.id}.`);
    norms.set(place, norm);
  }
  return {
    version: String(file.version),
    norm: (hookPoint) => norms.get(canonicalName(hookPoint, model.blocks) ?? '') ?? null,
  };
}

/** One spelling for each place of the stream; null for what is no hook point of a model of so many blocks. */
export function canonicalName(hookPoint: string, blocks: number): string | null {
  try {
    return formatHookPoint(canonicalHookPoint(parseHookPoint(hookPoint, blocks)));
  } catch {
    return null;
  }
}

/** More blocks than any model has. */
const anyBlocks = 1_000_000;

/** One spelling for each place of the stream of a model of any depth; of any other hook point its name. */
export function placeName(hookPoint: string): string {
  return canonicalName(hookPoint, anyBlocks) ?? hookPoint;
}
