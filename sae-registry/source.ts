import { basename, resolve } from 'node:path';
import { sourceFolder } from './bundled.ts';
import type { Dictionary } from './dictionary.ts';
import { type FeatureStatistics, readFeatureStatistics } from './feature-statistics.ts';
import { type Labels, readLabels } from './labels.ts';
import { loadSaelensFolder, saelensModelName } from './loaders/saelens.ts';
import type { ModelFacts } from './model-facts.ts';
import { readSourceCard, type SourceCard } from './source-card.ts';
import { sourceInvalid, sourceUnsupported } from './source-error.ts';
import { canonicalName } from './stream-norms.ts';

/** One dictionary at one hook point of one model, with what is known of its features. */
export interface Source {
  /** `model/name` */
  readonly id: string;
  readonly model: string;
  readonly name: string;
  /** As the source spells it. */
  readonly hookPoint: string;
  readonly dictionary: Dictionary;
  readonly card: SourceCard | null;
  readonly statistics: FeatureStatistics | null;
  readonly labels: Labels;
  /** Memory that the arrays of its dictionary and statistics hold, labels left out. */
  readonly residentBytes: number;
}

/**
 * Opens a source folder for a model: SAELens files, and beside them source.json, features.jsonl and labels.jsonl where there
 * are any. Without a card the folder's name is the source's. Throws `source_invalid` where the files, or the files and the
 * model, disagree, and `source_unsupported` for what this version cannot run.
 */
export async function openSource(folder: string, model: ModelFacts): Promise<Source> {
  const card = await readSourceCard(folder);
  const dictionary = await loadSaelensFolder(folder);
  const cardModel = card?.id.split('/')[0] ?? null;
  const name = card?.id.split('/')[1] ?? basename(resolve(folder));
  if (name === '') throw sourceInvalid(`${folder} gives its source no name. Add a source.json with an id.`);
  refuseOtherModel(folder, model, cardModel, card, dictionary);
  const hookPoint = hookPointOf(folder, model, card, dictionary);
  const statistics = await readFeatureStatistics(folder, dictionary.features, card?.statistics_version);
  return {
    id: `${model.id}/${name}`,
    model: model.id,
    name,
    hookPoint,
    dictionary,
    card,
    statistics,
    labels: await readLabels(folder, dictionary.features, card),
    residentBytes: dictionary.residentBytes + (statistics?.residentBytes ?? 0),
  };
}

/** The model that a bundled source or a folder says it is for; null where it says none. Throws like `openSource`. */
export async function modelOfSource(nameOrPath: string): Promise<string | null> {
  const folder = sourceFolder(nameOrPath);
  const card = await readSourceCard(folder);
  return card?.model ?? card?.id.split('/')[0] ?? lastPart(await saelensModelName(folder));
}

/** A card names the model outright; SAELens's own name for it is compared by its last part. */
function refuseOtherModel(
  folder: string,
  model: ModelFacts,
  cardModel: string | null,
  card: SourceCard | null,
  dictionary: Dictionary,
): void {
  const named = cardModel ?? lastPart(dictionary.modelName);
  for (const other of [named, card?.model ?? null]) {
    if (other !== null && other.toLowerCase() !== model.id.toLowerCase()) {
      throw sourceInvalid(`${folder} is a source of ${other}, not of ${model.id}. Load it with its own model.`);
    }
  }
  if (dictionary.dIn !== model.dModel) {
    throw sourceInvalid(
      `${folder} reads a stream ${dictionary.dIn} wide; that of ${model.id} is ${model.dModel} wide.`,
    );
  }
  if (card?.features !== undefined && card.features !== dictionary.features) {
    throw sourceInvalid(`${folder}: its card counts ${card.features} features, its weights ${dictionary.features}.`);
  }
}

/** `EleutherAI/pythia-70m` is `pythia-70m`. */
function lastPart(modelName: string | null): string | null {
  return modelName?.split('/').at(-1) ?? null;
}

function hookPointOf(folder: string, model: ModelFacts, card: SourceCard | null, dictionary: Dictionary): string {
  const hookPoint = dictionary.hookName ?? card?.hook_point ?? null;
  if (hookPoint === null) throw sourceInvalid(`${folder} does not say its hook point. Add hook_name to its cfg.json.`);
  const place = canonicalName(hookPoint, model.blocks);
  if (card?.hook_point !== undefined && canonicalName(card.hook_point, model.blocks) !== place) {
    throw sourceInvalid(`${folder}: its card says hook point ${card.hook_point}, its cfg.json ${hookPoint}.`);
  }
  if (place !== null) return hookPoint;
  if (/^blocks\.\d+\.hook_resid_(pre|mid|post)$/.test(hookPoint)) {
    throw sourceInvalid(`${folder} is of ${hookPoint}, but ${model.id} has ${model.blocks} blocks.`);
  }
  throw sourceUnsupported(`A dictionary at ${hookPoint}`);
}
