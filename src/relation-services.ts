import { TillerError } from '../engine/index.ts';
import { createTurnPace } from '../engine/turn-pace.ts';
import type { RelationService, TokenWeight } from '../routes/relations-port.ts';
import { createRelations, type FeatureSearch, type Ranked, type Relations } from '../sae-registry/index.ts';
import { neighboursOf } from './neighbours.ts';
import { OneAtATime } from './one-at-a-time.ts';
import { readSources } from './read-sources.ts';
import type { ReadyModel } from './services.ts';

/** Requests that wait for their turn; more are refused. */
const mostWaiting = 64;

/**
 * The relations of features over loaded models, one request at a time. `modelOf` gives the model of a name, null: the first; `searchOf`
 * what compares labels, and throws where there is none.
 */
export function createRelationService(
  modelOf: (name: string | null) => ReadyModel,
  searchOf: () => FeatureSearch,
): RelationService {
  const line = new OneAtATime(mostWaiting);
  const known = new WeakMap<ReadyModel, Relations>();
  const relationsOf = (model: ReadyModel): Relations => {
    const there = known.get(model);
    if (there) return there;
    const made = createRelations({ registry: model.registry, unembedding: model.unembedding, pace: createTurnPace() });
    known.set(model, made);
    return made;
  };
  const ofFeature = (id: string) => {
    const parts = id.trim().split('/');
    const model = modelOf(parts.length === 3 ? (parts[0] ?? null) : null);
    return { model, relations: relationsOf(model) };
  };
  return {
    neighbours: (query, signal) =>
      line.run(() => {
        const { model, relations } = ofFeature(query.feature);
        return neighboursOf({ model, relations, searchOf }, query, signal);
      }, signal),
    logits: (feature, limit, signal) =>
      line.run(async () => {
        const { model, relations } = ofFeature(feature);
        const { top, bottom, feature: summary } = await relations.logits(feature, limit);
        const named = (items: readonly Ranked[]) => items.map((item) => tokenWeight(model, item));
        return { feature: summary, top: named(top), bottom: named(bottom) };
      }, signal),
    virtualWeights: (query, signal) =>
      line.run(async () => {
        const { model, relations } = ofFeature(query.feature);
        const only = query.tokens?.map((token, i) => tokenId(model, token, `tokens[${i}]`));
        const found = await relations.weights(query);
        const lens = only && (await relations.logits(query.feature, 1, only));
        const byId = new Map(lens?.top.map((item) => [item.index, tokenWeight(model, item)]));
        return { ...found, logits: only?.flatMap((id) => byId.get(id) ?? []) ?? null };
      }, signal),
    compare: ({ model: name, a, b, sequences }, signal) =>
      line.run(() => {
        const model = modelOf(name);
        const read = (sources: readonly string[]) => readSources(model, sequences ?? [], sources, signal);
        return relationsOf(model).compare(a, b, sequences === null ? undefined : read);
      }, signal),
  };
}

function tokenWeight({ model }: ReadyModel, { index, value }: Ranked): TokenWeight {
  return { tokenId: index, token: model.tokenizer.tokenText(index), value };
}

/** A token by its number, or by a text that is one token. */
function tokenId({ model }: ReadyModel, token: string | number, param: string): number {
  const { vocabularySize } = model.config;
  if (typeof token === 'number') {
    if (token < vocabularySize) return token;
    throw new TillerError('invalid_request', `There is no token ${token}: there are ${vocabularySize}.`, { param });
  }
  const ids = model.tokenizer.encode(token, { addSpecialTokens: false });
  const [id] = ids;
  if (ids.length === 1 && id !== undefined) return id;
  throw new TillerError('invalid_request', `'${token}' is ${ids.length} tokens. Give one token, or its id.`, { param });
}
