import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TillerError } from '../../engine/core/index.ts';
import {
  type AddedDirection,
  controlVectorFile,
  createDictionary,
  findSource,
  findVector,
  type Store,
  statisticsOf,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';
import { readKnownDictionary } from './known-dictionary.ts';

export interface ControlVectorRequest {
  /** `model/source/index` or `model/source/index=strength`. */
  readonly features: readonly string[];
  /** `model/name[:version]` or with `=factor`. */
  readonly vectors: readonly string[];
  /** What a feature's strength counts in: its own p999, or a unit of activation. */
  readonly unit: 'max_activation' | 'raw';
  /** What kind of model it is for; null: the model's id. */
  readonly modelHint: string | null;
  readonly out: string;
}

/**
 * Writes features and saved vectors as one control vector for llama.cpp and repeng, and returns its path. Throws what is not found,
 * `statistics_missing`, `edit_not_applicable` for places that a control vector does not reach.
 */
export async function exportControlVector(config: Config, request: ControlVectorRequest): Promise<string> {
  return withStore(config, async (store) => {
    const directions: AddedDirection[] = [];
    const models = new Set<string>();
    for (const text of request.features) {
      const { name, strength } = parseTarget(text, 'feature');
      models.add(name.split('/')[0] ?? '');
      directions.push(await featureDirection(config, store, name, strength, request.unit));
    }
    for (const text of request.vectors) {
      const { name, strength } = parseTarget(text, 'vector');
      const [model = '', ...rest] = name.split('/');
      models.add(model);
      const { directions: found } = findVector(store, model, rest.join('/'), 'vector');
      for (const { hookPoint, values } of found) {
        directions.push({ name, hookPoint, values: values.map((value) => value * strength) });
      }
    }
    const [model = '', other] = models;
    if (other !== undefined) {
      throw new TillerError(
        'invalid_request',
        `A control vector is of one model; these are of ${[...models].join(', ')}.`,
      );
    }
    const path = resolve(request.out);
    await writeFile(path, controlVectorFile(directions, request.modelHint ?? model));
    return path;
  });
}

function parseTarget(text: string, param: string): { readonly name: string; readonly strength: number } {
  const [name = '', number] = text.split('=');
  const strength = number === undefined ? 1 : Number(number || Number.NaN);
  if (name.includes('/') && Number.isFinite(strength)) return { name, strength };
  const form = param === 'feature' ? 'model/source/index' : 'model/name';
  throw new TillerError('invalid_request', `'${text}' is no ${param}: write ${form}, or ${form}=strength.`, { param });
}

async function featureDirection(
  config: Config,
  store: Store,
  id: string,
  strength: number,
  unit: ControlVectorRequest['unit'],
): Promise<AddedDirection> {
  const [, source = '', digits = ''] = /^(.+)\/(\d{1,9})$/.exec(id) ?? [];
  const { model, name, weights, hookPoint, hookPointOut } = await readKnownDictionary(config, source, 'feature');
  const dictionary = createDictionary(weights);
  const index = Number(digits);
  if (index >= dictionary.features) {
    const message = `There is no feature ${index} of ${source}. Its features are 0 to ${dictionary.features - 1}.`;
    throw new TillerError('feature_not_found', message, { param: 'feature' });
  }
  if (!dictionary.writesByRow) {
    const message = `${source} normalises each token's input, so a unit of activation is no fixed direction.`;
    throw new TillerError('edit_not_applicable', message, { param: 'feature' });
  }
  let factor = strength;
  if (unit === 'max_activation') {
    const known = findSource(store, model, name);
    const statistics = known && statisticsOf(store, known.key, index);
    if (!statistics) {
      const message = `There are no statistics of ${id}, so its strength has no unit. Load its source once (tiller serve), import or collect statistics, or give --unit raw.`;
      throw new TillerError('statistics_missing', message, { param: 'unit' });
    }
    factor *= statistics.p999;
  }
  const values = dictionary.feature(index).decoder.map((value) => value * factor);
  return { name: id, hookPoint: hookPointOut ?? hookPoint, values };
}
