import { basename, resolve } from 'node:path';
import { hookPointWidth, resolveHookPoint } from '../engine/core/index.ts';
import { sourcePath } from './bundled.ts';
import type { Dictionary } from './dictionary.ts';
import { type FeatureStatistics, readFeatureStatistics } from './feature-statistics.ts';
import { importFolderFeatures } from './imports/folder-features.ts';
import { importFolderLabels } from './imports/folder-labels.ts';
import { dictionaryModelName, loadDictionary } from './loaders/load-dictionary.ts';
import type { ModelFacts } from './model-facts.ts';
import { readSourceCard, type SourceCard } from './source-card.ts';
import { sourceInvalid, sourceUnsupported } from './source-error.ts';
import { registerSource, type SourceFacts, type Store } from './store/index.ts';
import { canonicalName } from './stream-norms.ts';

/** One dictionary at one hook point of one model, with what is known of its features. */
export interface Source {
  /** Its row in the store. */
  readonly key: number;
  /** `model/name` */
  readonly id: string;
  readonly model: string;
  readonly name: string;
  /** Where its features write, in TransformerLens' spelling; an autoencoder reads there too. */
  readonly hookPoint: string;
  readonly dictionary: Dictionary;
  readonly card: SourceCard | null;
  readonly statistics: FeatureStatistics | null;
  /** Memory that the arrays of its dictionary and statistics hold. */
  readonly residentBytes: number;
}

export interface OpenSourceOptions {
  readonly model: ModelFacts;
  /** Where it is written down. */
  readonly store: Store;
  /** Those that are open already: none may have its name. */
  readonly opened: readonly Source[];
  /** Its name, whatever its card or folder says. */
  readonly name?: string;
}

/**
 * Opens a source for a model: a folder of one dictionary in any format that loaders/ reads, and beside it source.json, features.jsonl
 * and labels.jsonl where there are any, which are read into the store the first time; or a dictionary's file alone. Without a card the folder's or file's name is the source's.
 * Throws `source_invalid` where the files, or the files and the model, disagree, and `source_unsupported` for what cannot be run.
 */
export async function openSource(path: string, options: OpenSourceOptions): Promise<Source> {
  const { model, store, opened } = options;
  const card = await readSourceCard(path);
  const dictionary = await loadDictionary(path, {
    foldDecoderNorms: card?.fold_decoder_norms,
    madeWith: card?.made_with,
  });
  const name = options.name ?? card?.id.split('/')[1] ?? nameOfPath(path);
  if (name === '') throw sourceInvalid(`${path} gives its source no name. Add a source.json with an id.`);
  if (opened.some((other) => other.name === name)) {
    throw sourceInvalid(`Two sources are called ${model.id}/${name}. Load one of them.`);
  }
  refuseOtherModel(path, model, card, dictionary);
  const hookPoint = hookPointOf(path, model, card, dictionary);
  const known = registerSource(store, sourceFacts(resolve(path), model, name, hookPoint, dictionary));
  await importFolderFeatures(store, known, path, card?.statistics_version);
  const { label_method: method = 'unknown', label_author: author = 'unknown' } = card ?? {};
  await importFolderLabels(store, known, path, { method, author });
  const statistics = readFeatureStatistics(store, known.key, dictionary.features);
  return {
    key: known.key,
    id: `${model.id}/${name}`,
    model: model.id,
    name,
    hookPoint,
    dictionary,
    card,
    statistics,
    residentBytes: dictionary.residentBytes + (statistics?.residentBytes ?? 0),
  };
}

function nameOfPath(path: string): string {
  return basename(resolve(path)).replace(/\.(safetensors|npz|sae\.pt|pth?)$/, '');
}

function sourceFacts(
  path: string,
  model: ModelFacts,
  name: string,
  hookPoint: string,
  dictionary: Dictionary,
): SourceFacts {
  const { kind, activation, features, dIn, dOut, hash } = dictionary;
  const reads = kind === 'transcoder' ? dictionary.hookPoint : null;
  const layer = /^blocks\.(\d+)\./.exec(hookPoint)?.[1];
  return {
    model: model.id,
    name,
    hookPoint: reads ?? hookPoint,
    hookPointOut: reads === null ? null : hookPoint,
    layer: layer === undefined ? null : Number(layer),
    ...{ kind, activation, features, dIn, dOut, hash, path },
  };
}

/** Whether a feature's activation can be read, by its row alone, at the place that it writes. */
export function readsWhatItWrites({ dictionary }: Source): boolean {
  return dictionary.kind === 'autoencoder' && dictionary.readsByRow;
}

/** The model that a bundled source, a folder or a file says it is for; null where it says none. Throws like `openSource`. */
export async function modelOfSource(nameOrPath: string): Promise<string | null> {
  const path = sourcePath(nameOrPath);
  const card = await readSourceCard(path);
  return card?.model ?? card?.id.split('/')[0] ?? plainModelName(await dictionaryModelName(path));
}

/** A card names the model outright; a dictionary's own name for it is compared by its last part. */
function refuseOtherModel(path: string, model: ModelFacts, card: SourceCard | null, dictionary: Dictionary): void {
  const named = card?.id.split('/')[0] ?? plainModelName(dictionary.modelName);
  for (const other of [named, card?.model ?? null]) {
    if (other !== null && other.toLowerCase() !== model.id.toLowerCase()) {
      throw sourceInvalid(`${path} is a source of ${other}, not of ${model.id}. Load it with its own model.`);
    }
  }
  if (card?.features !== undefined && card.features !== dictionary.features) {
    throw sourceInvalid(`${path}: its card counts ${card.features} features, its weights ${dictionary.features}.`);
  }
}

/** `EleutherAI/pythia-70m` is `pythia-70m`; `gpt2-small` is TransformerLens' name for `gpt2`. */
function plainModelName(modelName: string | null): string | null {
  const name = modelName?.split('/').at(-1) ?? null;
  return name === 'gpt2-small' ? 'gpt2' : name;
}

/** Where the dictionary writes. Refuses places that the model does not have, and widths that are not theirs. */
function hookPointOf(path: string, model: ModelFacts, card: SourceCard | null, dictionary: Dictionary): string {
  const said = dictionary.hookPointOut ?? (dictionary.kind === 'transcoder' ? null : dictionary.hookPoint);
  const hookPoint = said ?? card?.hook_point ?? null;
  if (hookPoint === null) {
    throw sourceInvalid(`${path} does not say the hook point that it writes. Add a source.json with hook_point.`);
  }
  const place = placeOf(hookPoint, model);
  if (card?.hook_point !== undefined && placeOf(card.hook_point, model) !== place) {
    throw sourceInvalid(`${path}: its card says hook point ${card.hook_point}, its own files ${hookPoint}.`);
  }
  if (place === null) throw noPlace(path, hookPoint, model);
  checkWidth(path, model, place, 'writes', dictionary.dOut);
  const read = dictionary.hookPoint === null ? null : placeOf(dictionary.hookPoint, model);
  if (read !== null) checkWidth(path, model, read, 'reads', dictionary.dIn);
  return canonicalName(hookPoint, model.blocks) === null ? place : hookPoint;
}

function placeOf(hookPoint: string, { blocks, hookPoints }: ModelFacts): string | null {
  try {
    const place = resolveHookPoint(hookPoint, { blocks, hookPoints });
    // A model of parallel blocks has no hook_resid_mid: its list says so.
    return hookPoints === undefined || hookPoints.has(place) ? place : null;
  } catch {
    return null;
  }
}

function noPlace(path: string, hookPoint: string, model: ModelFacts): Error {
  const block = /^blocks\.(\d+)\./.exec(hookPoint)?.[1];
  if (block !== undefined && Number(block) >= model.blocks) {
    return sourceInvalid(`${path} is of ${hookPoint}, but ${model.id} has ${model.blocks} blocks.`);
  }
  return sourceUnsupported(`A dictionary at ${hookPoint} of ${model.id}`);
}

function checkWidth(path: string, model: ModelFacts, place: string, does: 'reads' | 'writes', width: number): void {
  const its = model.hookPoints === undefined ? model.dModel : hookPointWidth(model.hookPoints, place);
  if (its === undefined) throw sourceInvalid(`${path} ${does} ${place}, whose values have no width of their own.`);
  if (width !== its) {
    throw sourceInvalid(`${path} ${does} ${place} as ${width} wide; that of ${model.id} is ${its} wide.`);
  }
}
