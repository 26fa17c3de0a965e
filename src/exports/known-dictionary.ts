import { existsSync } from 'node:fs';
import { nearest, TillerError } from '../../engine/core/index.ts';
import { type DictionaryWeights, readDictionary, readSourceCard } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { listKnownSources } from '../sae/list.ts';

/** A dictionary on this machine, read from its files. */
export interface KnownDictionary {
  readonly model: string;
  readonly name: string;
  readonly weights: DictionaryWeights;
  /** Where it reads; where it writes, of a transcoder. */
  readonly hookPoint: string;
  readonly hookPointOut: string | null;
}

/** Reads a dictionary by its id `model/name`, as it would be loaded. Throws `source_not_found`, and what loading throws. */
export async function readKnownDictionary(config: Config, id: string, param: string): Promise<KnownDictionary> {
  const sources = await listKnownSources(config);
  const path = sources.find((source) => source.id === id)?.path ?? null;
  if (path === null || !existsSync(path)) {
    const why = path === null ? `There is no source '${id}'` : `The files of ${id} are no longer at ${path}`;
    const suggestions = nearest(
      id,
      sources.map((source) => source.id),
    );
    throw new TillerError('source_not_found', `${why}: tiller sae list shows what there is.`, { param, suggestions });
  }
  const card = await readSourceCard(path);
  const weights = await readDictionary(path, {
    foldDecoderNorms: card?.fold_decoder_norms,
    madeWith: card?.made_with,
  });
  const transcoder = weights.kind === 'transcoder';
  const written = weights.hookPointOut ?? card?.hook_point ?? null;
  const hookPoint = weights.hookPoint ?? (transcoder ? null : (card?.hook_point ?? null));
  if (hookPoint === null || (transcoder && written === null)) {
    throw new TillerError('source_invalid', `The files of ${id} do not say its hook points.`, { param });
  }
  const [model = '', ...name] = id.split('/');
  return { model, name: name.join('/'), weights, hookPoint, hookPointOut: transcoder ? written : null };
}
