import { type Edit, hookPointShapes, nearest, plainFeatures, TillerError } from '../../engine/core/index.ts';
import type {
  ActivationSearch,
  ActivationSearchRequest,
  EditRequest,
  FeatureDetail,
  FeatureService,
  FoundFeature,
  HttpObservation,
  Limits,
  ListedModel,
  ModelCapacity,
  ModelCard,
  ModelService,
  ProfileVersion,
  ResolvedSteering,
  Services,
  SteeringRequest,
} from '../../routes/services.ts';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.ts';
import { fakeInspection } from './fake-inspection.ts';
import { fakeInterventions } from './fake-interventions.ts';
import { fakeRelations, fakeSources } from './fake-relations.ts';
import { tinyConfig } from './tiny-model.ts';
import { toyTemplate, toyTokenizer } from './toy-model.ts';

export const modelId = 'toy-chat';
export const sourceId = `${modelId}/3-res`;
const dModel = 4;
const features = 8;
const hookPoint = 'blocks.3.hook_resid_post';

export interface FakeOptions extends FakeEngineOptions {
  readonly limits?: Partial<Limits>;
  readonly contextLength?: number;
  readonly capacity?: Partial<ModelCapacity>;
  readonly notReady?: string;
  readonly draining?: () => boolean;
  readonly prependBegin?: boolean;
  readonly chatTemplate?: ModelService['chatTemplate'];
  /** The profile that holds where a request names none. */
  readonly defaultProfile?: string;
  readonly relations?: Services['relations'];
  readonly contrast?: ModelService['contrast'];
  readonly jobs?: Services['jobs'];
}

/** Services over a toy model, and what they saw. */
export interface FakeServices {
  readonly services: Services;
  readonly engine: FakeEngine;
  readonly observations: HttpObservation[];
  readonly gone: string[];
  readonly unexpected: unknown[];
  readonly steeringRequests: SteeringRequest[];
  /** Names of the models that requests let go of, as the requests named them. */
  readonly released: (string | null)[];
  /** Labels that were added one by one, as JSON. */
  readonly labelsByHand: string[];
  /** Label files that were imported, with what was said of them. */
  readonly labelFiles: { text: string; origin: string; method: string; author: string }[];
}

/** A whole port without a model: one chat model `toy-chat`, one source of 8 features, one profile `pirate:1`. */
export function fakeServices(options: FakeOptions = {}): FakeServices {
  const tokenizer = toyTokenizer(options.prependBegin);
  const engine = new FakeEngine(tokenizer, options);
  const observations: HttpObservation[] = [];
  const gone: string[] = [];
  const unexpected: unknown[] = [];
  const steeringRequests: SteeringRequest[] = [];
  const card: ModelCard = {
    id: modelId,
    createdUnixSeconds: 1_700_000_000,
    contextLength: options.contextLength ?? 512,
    dModel,
    blocks: 6,
    hookPoints: hookPointShapes({ ...tinyConfig, ...plainFeatures({ blocks: 6, headDim: 16 }, 10_000), dModel }),
    precision: 'f32',
    operators: 'tiller',
    hash: '0123456789abcdef0123456789abcdef',
    sources: [sourceId],
    capacity: {
      rows: 4,
      keyValueTokens: 4096,
      prefixCacheTokens: 2048,
      queueLimit: 16,
      queueSeconds: 120,
      ...options.capacity,
    },
  };
  const model: ModelService = {
    card,
    tokenizer,
    encode: async (text, { addSpecialTokens }) => tokenizer.encode(text, { addSpecialTokens }),
    chatTemplate: options.chatTemplate === undefined ? toyTemplate : options.chatTemplate,
    submit: (request) => engine.submit(request),
    readFeatures: async function* () {},
    inspection: fakeInspection(sourceId, (request) => engine.submit(request)),
    searchByActivation: async (request) => searchByActivation(request),
    logits: { read: unused, compare: unused, directions: () => [], bytesPerPosition: (places) => places * dModel * 4 },
    evaluateSource: async ({ source, sequences }) => {
      if (source !== '3-res') throw new TillerError('source_not_found', `no source '${source}'`, { param: 'source' });
      const tokens = sequences.reduce((sum, ids) => sum + ids.length - 1, 0);
      const loss = { plain: 2, spliced: 3, zeroed: 6 };
      const figures = { explainedVariance: 0.5, l0: 3, features: 8, silentFeatures: 1, loss, lossRecovered: 0.75 };
      return { source: sourceId, texts: sequences.length, tokens, ...figures };
    },
    contrast: options.contrast ?? unused,
    interventions: fakeInterventions(),
    defaultProfile: () => options.defaultProfile ?? null,
    saveProfile: unused,
    importProfile: unused,
    saveVector: unused,
    autoSteer: { find: unused, findCondition: unused },
    evaluation: { doseResponse: unused, sweep: unused },
    vectorWork: { importFile: unused, combine: unused, similarity: unused },
    resolveSteering: (request) => {
      steeringRequests.push(request);
      return resolve(request);
    },
  };
  const listed: ListedModel = { id: modelId, state: 'loaded', service: model, reason: null };
  const released: (string | null)[] = [];
  const labelsByHand: string[] = [];
  const labelFiles: FakeServices['labelFiles'] = [];
  const services: Services = {
    version: '0.0.0-test',
    limits: {
      bodyBytes: 64 * 1024,
      maxEdits: 4,
      maxChoices: 8,
      maxReplyTokens: null,
      streamTimeoutSeconds: 120,
      ...options.limits,
    },
    startedUnixSeconds: 1_700_000_000,
    models: () => [listed],
    findModel: (name) => {
      findModel(name, model);
      return listed;
    },
    useModel: async (name) => ({
      ...(name === null ? { model, profile: null } : findModel(name, model)),
      release: () => released.push(name),
    }),
    loadModel: async (name) => {
      findModel(name, model);
      return listed;
    },
    unloadModel: async (name) => {
      findModel(name, model);
      return { ...listed, state: 'not_loaded', service: null };
    },
    model: (name) => findModel(name, model),
    features: { search, lookup, rerank, get: findFeature },
    labels: {
      add: (model, source, index, label) => {
        findFeature(model, source, index);
        const line = JSON.stringify({ index, ...label });
        const added = !labelsByHand.includes(line);
        if (added) labelsByHand.push(line);
        return added;
      },
      export: (model, source) => {
        findFeature(model, source, '0');
        return ['{"index":0,"label":"one"}\n', '{"index":1,"label":"two"}\n'];
      },
      import: async (model, source, chunks, options) => {
        findFeature(model, source, '0');
        let text = '';
        for await (const chunk of chunks) text += Buffer.from(chunk).toString();
        labelFiles.push({ text, ...options });
        return { added: 1, updated: 0, unchanged: 2, badLines: 1, bad: [{ line: 4, reason: 'is not JSON.' }] };
      },
    },
    vectors: { list: () => [], get: unused, controlVector: unused, remove: unused },
    profiles: {
      list: (id) => (id === null || id === modelId ? [pirate] : []),
      get: unused,
      remove: unused,
      exported: unused,
      default: unused,
      setDefault: unused,
    },
    relations: options.relations ?? fakeRelations([]),
    sources: fakeSources,
    jobs: options.jobs ?? noJobs,
    notReady: () => options.notReady ?? null,
    draining: options.draining ?? (() => false),
    unexpected: (error) => unexpected.push(error),
    metrics: {
      render: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'toy_metric 1\n' }),
      observeHttp: (observation) => observations.push(observation),
      clientGone: (route) => gone.push(route),
    },
  };
  return { services, labelFiles, labelsByHand, engine, observations, gone, unexpected, steeringRequests, released };
}

const unused = (): never => {
  throw new Error('not asked for here');
};

const noJobs: Services['jobs'] = {
  kinds: () => [],
  submit: unused,
  list: () => [],
  get: unused,
  cancel: unused,
  remove: unused,
  results: unused,
};

const pirate: ProfileVersion = {
  model: modelId,
  name: 'pirate',
  version: 1,
  description: '',
  addedUnixMilliseconds: 1_700_000_001_000,
  fingerprint: {
    model: modelId,
    model_hash: '0123456789abcdef0123456789abcdef',
    sources: {},
    statistics: {},
    hash: 'feed',
  },
};

function findModel(name: string, model: ModelService): ReturnType<Services['model']> {
  const [id = '', profile = null] = name.split('@');
  if (id !== modelId) {
    throw new TillerError('model_not_found', `No model '${id}'.`, { suggestions: nearest(id, [modelId]) });
  }
  if (profile !== null) checkProfile(profile);
  return { model, profile };
}

function checkProfile(profile: string): void {
  if (profile === 'pirate' || profile === 'pirate:1') return;
  throw new TillerError('profile_not_found', `No profile '${profile}'.`, { suggestions: nearest(profile, ['pirate']) });
}

function resolve(request: SteeringRequest): ResolvedSteering {
  if (request.profile !== undefined) checkProfile(request.profile);
  const fromProfile = request.profile === undefined ? [] : [plainEdit('all_but_first', false)];
  const edits = [...fromProfile, ...request.edits.map(toEdit)];
  return {
    edits,
    params: [...fromProfile.map(() => 'steering.profile.edits[0]'), ...request.edits.map(({ param }) => param)],
    report: (reports, seeds) => ({
      edits: edits.map((edit, index) => ({
        target: request.edits[index - fromProfile.length]?.feature ?? 'inline',
        hook_point: edit.hookPoint,
        mode: request.edits[index - fromProfile.length]?.mode ?? 'add',
        positions: edit.positions,
        tokens: reports.reduce((sum, choice) => sum + (choice[index]?.tokens ?? 0), 0),
        sink_tokens_skipped: 0,
        coefficient: { min: 1, max: 1 },
        relative_dose: 0.1,
      })),
      fingerprint: {
        model: modelId,
        model_hash: '0123456789abcdef',
        precision: 'f32',
        sources: { [sourceId]: 'feed' },
        statistics: { [sourceId]: 'v1' },
        seeds,
      },
    }),
  };
}

function toEdit(edit: EditRequest): Edit {
  const { param, vector } = edit;
  if (edit.feature !== undefined) {
    const [model = '', source = '', index = ''] = edit.feature.split('/');
    findFeature(model, source, index, `${param}.feature`);
  }
  if (typeof vector === 'string')
    throw new TillerError('vector_not_found', `No vector '${vector}'.`, { param: `${param}.vector` });
  if (vector && !/^blocks\.[0-5]\.hook_resid_(pre|mid|post)$/.test(vector.hookPoint)) {
    throw new TillerError('hook_point_not_found', `No hook point '${vector.hookPoint}'.`, {
      param: `${param}.vector.hook_point`,
      suggestions: nearest(vector.hookPoint, [hookPoint]),
    });
  }
  if (vector && vector.data.length !== dModel) {
    const message = `The vector has ${vector.data.length} floats; the stream has ${dModel}.`;
    throw new TillerError('edit_not_applicable', message, { param: `${param}.vector.data` });
  }
  if (edit.unit === 'stream_norm' && edit.feature !== undefined) {
    throw new TillerError('statistics_missing', "No statistics: use unit 'raw'.", { param: `${param}.unit` });
  }
  return plainEdit(edit.positions, edit.skipSpecial);
}

function plainEdit(positions: Edit['positions'], skipSpecial: boolean): Edit {
  return {
    hookPoint,
    read: null,
    coefficient: { beta: 1, gamma: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
    write: new Float32Array(dModel).fill(1),
    positions,
    skipSpecial,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm: Number.POSITIVE_INFINITY,
  };
}

/** Matches by the text standing in the label; what was asked for comes back in `reason`, so that tests see it. */
const search: FeatureService['search'] = async (query) => {
  if (query.filters.layers.includes(9)) {
    throw new TillerError('invalid_request', 'No source is at layer 9.', { param: 'layers' });
  }
  if (query.text === '?') throw new TillerError('invalid_request', 'No words.', { param: 'q' });
  const all = Array.from({ length: features }, (_, index) => found(index));
  const hits = all.filter(({ label }) => label?.text.includes(query.text));
  return {
    hits: hits.slice(0, query.limit).map((hit, at) => ({
      ...hit,
      score: 1 - at / 10,
      lexicalRank: at + 1,
      semanticRank: null,
      similarity: null,
      highlights: [{ start: 11, end: 15 }],
    })),
    mode: 'lexical',
    reason: JSON.stringify(query),
    embeddings: { done: 0, total: features },
    next: hits.length > query.limit ? 'next' : null,
  };
};

const lookup: FeatureService['lookup'] = async (ids) =>
  ids.map((id, at) => {
    const [index = '', source = '', model = modelId] = id.split('/').reverse();
    return found(findFeature(model, source, index, `features[${at}]`).index);
  });

const rerank: FeatureService['rerank'] = async (_, ids) =>
  (await lookup(ids)).toReversed().map((feature, at) => ({ ...feature, similarity: 1 - at / 10 }));

function found(index: number): FoundFeature {
  const { id, model, source, label } = detail(index);
  const its = { text: label ?? '', method: 'test', author: 'test', clarity: null };
  return { id, model, source, index, layer: 3, label: its, density: 0.01 };
}

function findFeature(model: string, source: string, index: string, param?: string): FeatureDetail {
  if (model !== modelId)
    throw new TillerError('model_not_found', `No model '${model}'.`, { param, suggestions: [modelId] });
  if (`${model}/${source}` !== sourceId) {
    throw new TillerError('source_not_found', `No source '${source}'.`, { param, suggestions: [sourceId] });
  }
  if (!/^[0-7]$/.test(index)) {
    throw new TillerError('feature_not_found', `No feature ${index}: the source has ${features}.`, { param });
  }
  return detail(Number(index));
}

function detail(index: number): FeatureDetail {
  return {
    id: `${sourceId}/${index}`,
    model: modelId,
    source: '3-res',
    index,
    label: `talk about cats, kind ${index}`,
    score: 1 - index / 10,
    hookPoint,
    labels: [{ text: `talk about cats, kind ${index}`, method: 'test', author: 'test', clarity: null, scores: [] }],
    statistics: { density: 0.01, max: 3, p999: 2, mean: 1, histogram: [3, 2, 1], version: 'v1' },
    topLogits: [' cat'],
    bottomLogits: [' dog'],
    topTokens: [' kitten'],
    examples: [{ tokens: ['a', ' cat'], value: 2, values: null }],
    encoderDotDecoder: 0.8,
  };
}

/** Every token of the text, the first left out, has the feature of its number fire as strongly as its position. */
function searchByActivation({ tokenIds, sources, limit }: ActivationSearchRequest): ActivationSearch {
  const unknown = sources?.find((name) => ![sourceId, '3-res'].includes(name));
  if (unknown !== undefined) throw new TillerError('source_not_found', `no source '${unknown}'`, { param: 'sources' });
  const features = Array.from(tokenIds.keys())
    .slice(1)
    .reverse()
    .slice(0, limit)
    .map((position) => {
      const index = position % 8;
      const summary = { id: `${sourceId}/${index}`, model: modelId, source: '3-res', index, label: null };
      return { ...summary, max: position, mean: position / 2, count: 1, position };
    });
  return { sources: [{ id: sourceId, hookPoint, ignored: [0], truncated: [], features }] };
}
