import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TillerError } from '../../engine/core/index.ts';
import { writeSaelensFolder } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { readKnownDictionary } from './known-dictionary.ts';

/** Writes a dictionary as a folder of SAELens 6. Throws `source_not_found`, `source_unsupported`, and `invalid_request` for a folder that is there. */
export async function exportSaelens(config: Config, id: string, out: string): Promise<string> {
  const folder = resolve(out);
  if (existsSync(folder)) {
    throw new TillerError('invalid_request', `${folder} is there already. Name a new folder with --out.`, {
      param: 'out',
    });
  }
  const { model, weights, hookPoint, hookPointOut } = await readKnownDictionary(config, id, 'source');
  await writeSaelensFolder(folder, weights, { modelName: model, hookPoint, hookPointOut });
  return folder;
}
