import { z } from 'zod';
import { TillerError } from '../core/index.ts';
import { maxShards } from './limits.ts';
import { schemaIssues } from './schema-issues.ts';

export const safetensorsIndexName = 'model.safetensors.index.json';

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Tensor name → shard file name, of a parsed model.safetensors.index.json. Shards lie in the folder itself: a name with a path in it is
 * refused. `path` is for messages. Throws `checkpoint_invalid`.
 */
export function parseSafetensorsIndex(path: string, json: unknown): Map<string, string> {
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw new TillerError('checkpoint_invalid', `${path}: ${schemaIssues(parsed.error)}`);
  const placement = new Map(Object.entries(parsed.data.weight_map));
  const shards = new Set(placement.values());
  if (shards.size > maxShards) {
    throw new TillerError('checkpoint_invalid', `${path} names ${shards.size} shards; at most ${maxShards} are read.`);
  }
  for (const shard of shards) {
    if (!/^[\w.-]+\.safetensors$/.test(shard)) {
      throw new TillerError(
        'checkpoint_invalid',
        `${path} names the shard '${shard}', which is not a plain file name.`,
      );
    }
  }
  if (shards.size === 0) throw new TillerError('checkpoint_invalid', `${path} names no shards.`);
  return placement;
}
