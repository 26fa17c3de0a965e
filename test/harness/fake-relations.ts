import { TillerError } from '../../engine/core/index.ts';
import type { RelatedFeature, RelationService } from '../../routes/relations-port.ts';
import type { SourceCard, SourceService } from '../../routes/sources-port.ts';

const feature = { id: 'toy-chat/3-res/1', model: 'toy-chat', source: '3-res', index: 1, label: 'cats' };
const related: RelatedFeature = {
  ...feature,
  hookPoint: 'blocks.3.hook_resid_post',
  value: 0.5,
  effectiveThreshold: 0.25,
};
const report = {
  meanSimilarity: 0.5,
  medianSimilarity: 0.4,
  found: [{ threshold: 0.5, pairs: 1, shareOfA: 0.125, shareOfB: 0.25 }],
};

/** Relations that say what they were asked. */
export function fakeRelations(asked: unknown[]): RelationService {
  return {
    neighbours: async (query) => {
      asked.push(query);
      const counts = query.by === 'cofiring' ? { fired: 4, together: 2 } : null;
      return {
        feature,
        neighbours: [{ ...related, cofiring: counts }],
        sources: ['toy-chat/3-res'],
        compared: 8,
        notEmbedded: query.by === 'label' ? 1 : null,
        counted: counts && { tokens: 20, fired: 4, version: query.sequences ? null : 'v1' },
      };
    },
    logits: async (id, limit) => {
      asked.push({ id, limit });
      const token = (tokenId: number, value: number) => ({ tokenId, token: ` ${tokenId}`, value });
      return { feature, top: [token(5, 2)], bottom: [token(6, -2)] };
    },
    virtualWeights: async (query) => {
      asked.push(query);
      const readers = [
        { source: 'toy-chat/5-res', hookPoint: 'blocks.5.hook_resid_post', raised: [related], lowered: [] },
      ];
      const logits = query.tokens && [{ tokenId: 5, token: ' 5', value: 1 }];
      return { feature, hookPoint: 'blocks.3.hook_resid_post', readers, logits };
    },
    compare: async (query) => {
      asked.push(query);
      if (query.b === 'none') throw new TillerError('source_not_found', "There is no source 'none'.", { param: 'b' });
      const split = { feature: 1, parts: [{ feature: 2, similarity: 0.5 }] };
      const absorbed = { feature: 1, into: 2, similarity: 0.5, pairedWith: 3, pairSimilarity: 0.75 };
      return {
        by: query.sequences ? 'activation' : 'decoder',
        featuresOfA: 8,
        featuresOfB: 4,
        comparedOfA: 7,
        comparedOfB: 3,
        tokens: query.sequences?.length ?? null,
        stability: 0.5,
        greedy: report,
        optimal: report,
        pairs: [
          { a: 1, b: 2, similarity: 0.75 },
          { a: 2, b: 3, similarity: 0.25 },
        ],
        splitInB: { count: 1, best: [split] },
        splitInA: { count: 0, best: [] },
        absorbedInB: { count: 1, best: [absorbed] },
        absorbedInA: { count: 0, best: [] },
      };
    },
  };
}

const card: SourceCard = {
  id: 'toy-chat/3-res',
  model: 'toy-chat',
  name: '3-res',
  hookPoint: 'blocks.3.hook_resid_post',
  hookPointIn: null,
  kind: 'autoencoder',
  activation: 'jumprelu',
  features: 8,
  widthRead: 4,
  widthWritten: 4,
  hash: 'feed',
  origin: '/sources/3-res',
  residentBytes: 256,
  reads: true,
  writes: true,
  statisticsVersion: 'v1',
  medianStreamNorm: 10,
  sinkNorm: null,
  varianceExplained: 0.8,
  l0: 3,
  tokensTrained: null,
  license: null,
};

/** One source of eight features, and a catalog of one release. */
export const fakeSources: SourceService = {
  list: () => [card],
  get(model, name) {
    if (model === card.model && name === card.name) return card;
    throw new TillerError('source_not_found', `There is no source '${name}'.`, { param: 'source' });
  },
  catalog: (words) =>
    [
      {
        release: 'toy-res',
        repository: 'someone/toy-saes',
        model: 'toy',
        format: 'SAELens',
        dictionaries: 2,
        layers: [0, 1],
        widths: [],
        hookPoints: ['blocks.N.hook_resid_post'],
        examples: ['toy-res/0'],
        centred: true,
        licence: 'unconfirmed',
        unsupported: null,
      },
    ].filter(({ release }) => release.includes(words)),
};
