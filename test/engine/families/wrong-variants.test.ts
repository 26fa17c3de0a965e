import { describe, expect, it } from 'vitest';
import type { WeightsFile } from '../../../engine/checkpoint/index.ts';
import type { ModelConfig } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { changedWeights, reordered } from '../../harness/changed-weights.ts';
import {
  type FamilyFolder,
  familyFolders,
  familyGolden,
  familyModel,
  logitsDifference,
  runInChunks,
} from '../../harness/families.ts';
import { temporaryCache, testKernels } from '../../harness/kernels.ts';

interface Model {
  readonly config: ModelConfig;
  readonly weights: WeightsFile;
}
interface Variant {
  readonly what: string;
  readonly folders: readonly FamilyFolder[];
  readonly change: (model: Model) => Model;
  /** Least difference of a logit that it makes, where that is not ten times what is allowed. */
  readonly least?: number;
}

const cacheDirectory = await temporaryCache('tiller-variants-');
const kernels = await testKernels();

const configured = (change: (config: ModelConfig) => Partial<ModelConfig>) => (model: Model) => {
  return { ...model, config: { ...model.config, ...change(model.config) } };
};
const windows = (by: (window: number | null) => number | null) =>
  configured(({ layers }) => ({ layers: layers.map((layer) => ({ ...layer, window: by(layer.window) })) }));
const weighed = (change: Parameters<typeof changedWeights>[1]) => (model: Model) => {
  return { ...model, weights: changedWeights(model.weights, change) };
};
/** Rows of queries and keys as if neighbours were rotated together (`rotary_interleaved`). */
const interleaved = (model: Model): Model => {
  const { headDim, rotary } = model.config;
  const dimensions = rotary[0]?.dimensions ?? 0;
  const from = (row: number) => {
    const inHead = row % headDim;
    if (inHead >= dimensions) return row;
    return row - inHead + (inHead % 2) * (dimensions / 2) + Math.floor(inHead / 2);
  };
  const change = weighed((name, values, shape) => {
    return /self_attn\.[qk]_proj\./.test(name) ? reordered(values, shape, from) : null;
  });
  return change(model);
};
/** Queries of the first two heads exchanged. */
const headsExchanged = (model: Model): Model => {
  const { headDim } = model.config;
  const from = (row: number) => (row < headDim ? row + headDim : row < 2 * headDim ? row - headDim : row);
  return weighed((name, values, shape) => {
    return name.includes('.self_attn.q_proj.') ? reordered(values, shape, from) : null;
  })(model);
};
/** A fused matrix cut into thirds where each head holds its own three, and the other way round. */
const cutOtherwise = (model: Model): Model => {
  const { heads, headDim } = model.config;
  const fused = new Map<string, Float32Array>();
  weighed((name, values) => {
    if (/self_attn\.[qkv]_proj\./.test(name)) fused.set(name, values);
    return null;
  })(model);
  return weighed((name, values) => {
    const match = /^(.*self_attn\.)([qkv])(_proj\..*)$/.exec(name);
    if (!match) return null;
    const [, before = '', part = '', after = ''] = match;
    const parts = ['q', 'k', 'v'].map((other) => fused.get(`${before}${other}${after}`) ?? values);
    const width = values.length / (heads * headDim);
    const perHead = model.config.family === 'gpt_neox';
    const index = 'qkv'.indexOf(part);
    const result = new Float32Array(values.length);
    for (let row = 0; row < heads * headDim; row++) {
      const [head, d] = [Math.floor(row / headDim), row % headDim];
      const place = perHead ? index * heads * headDim + row : head * 3 * headDim + index * headDim + d;
      const [third, at] = perHead
        ? [Math.floor(place / headDim) % 3, Math.floor(place / (3 * headDim)) * headDim + (place % headDim)]
        : [Math.floor(place / (heads * headDim)), place % (heads * headDim)];
      result.set((parts[third] ?? values).subarray(at * width, (at + 1) * width), row * width);
    }
    return result;
  })(model);
};

const rotated = familyFolders.filter((folder) => folder !== 'gpt2' && folder !== 'gemma3_multimodal');
const everyone = familyFolders;
const gemmas: readonly FamilyFolder[] = ['gemma2', 'gemma3', 'gemma3_multimodal'];

const variants: readonly Variant[] = [
  {
    what: 'neighbours rotated together',
    folders: rotated,
    change: interleaved,
  },
  { what: 'two heads exchanged', folders: everyone, change: headsExchanged },
  { what: 'a fused projection cut otherwise', folders: ['gpt2', 'gpt_neox'], change: cutOtherwise },
  {
    what: 'gains without the one that is added',
    folders: gemmas,
    change: weighed((name, values) => (/norm\.weight$/.test(name) ? values.map((value) => value - 1) : null)),
  },
  { what: 'a window one shorter', folders: ['mistral', ...gemmas], change: windows((window) => window && window - 1) },
  { what: 'a window one longer', folders: ['mistral', ...gemmas], change: windows((window) => window && window + 1) },
  { what: 'no window', folders: ['mistral', ...gemmas], change: windows(() => null) },
  {
    what: 'windows in the other blocks',
    folders: gemmas,
    change: configured(({ layers }) => {
      return { layers: layers.map((layer) => ({ ...layer, window: layer.window === null ? 8 : null })) };
    }),
  },
  {
    what: 'scores not capped',
    folders: ['gemma2'],
    change: configured(({ attention }) => ({ attention: { ...attention, softCap: null } })),
  },
  { what: 'logits not capped', folders: ['gemma2'], change: configured(() => ({ finalSoftCap: null })) },
  {
    what: 'scores scaled by the width of a head',
    folders: gemmas,
    change: configured(({ attention, headDim }) => ({ attention: { ...attention, scale: headDim ** -0.5 } })),
  },
  { what: 'an embedding that is not scaled', folders: gemmas, change: configured(() => ({ embeddingScale: 1 })) },
  { what: 'no norms after attention and MLP', folders: gemmas, change: configured(() => ({ outputNorms: false })) },
  {
    what: 'no norms of queries and keys',
    folders: ['qwen3', 'gemma3', 'gemma3_multimodal'],
    change: configured(() => ({ queryKeyNorm: false })),
  },
  {
    what: 'one rotary base for all blocks',
    folders: ['gemma3', 'gemma3_multimodal'],
    change: configured(({ layers }) => ({ layers: layers.map((layer) => ({ ...layer, rotary: 0 })) })),
  },
  {
    what: 'rotary frequencies not scaled',
    folders: ['llama3', 'gemma3_multimodal'],
    change: configured(({ rotary }) => ({ rotary: rotary.map((one) => ({ ...one, scaling: null })) })),
  },
  {
    what: 'the whole head rotated',
    folders: ['gpt_neox'],
    change: configured(({ rotary, headDim }) => ({ rotary: rotary.map((one) => ({ ...one, dimensions: headDim })) })),
  },
  {
    what: 'nothing rotated',
    folders: rotated,
    change: configured(({ layers }) => ({ layers: layers.map((layer) => ({ ...layer, rotary: null })) })),
  },
  {
    what: 'attention and MLP one after the other',
    folders: ['gpt_neox'],
    change: configured(() => ({ parallelResidual: false })),
  },
  { what: 'no positions', folders: ['gpt2'], change: configured(() => ({ learnedPositions: false })) },
  {
    what: 'no biases of queries, keys and values',
    folders: ['llama_biased', 'qwen2', 'gpt2', 'gpt_neox'],
    change: configured(({ biases }) => ({ biases: { ...biases, queryKeyValue: false } })),
  },
  {
    what: 'no bias of what attention gives',
    folders: ['llama_biased', 'gpt2', 'gpt_neox'],
    change: configured(({ biases }) => ({ biases: { ...biases, attentionOutput: false } })),
  },
  {
    what: 'no biases of the MLP',
    folders: ['llama_biased', 'gpt2', 'gpt_neox'],
    change: configured(({ biases }) => ({ biases: { ...biases, mlp: false } })),
  },
  {
    what: 'the other GELU',
    folders: ['gpt2', ...gemmas],
    change: configured(() => ({ activation: 'gelu' })),
    least: 3e-4,
  },
  {
    what: 'the other GELU',
    folders: ['gpt_neox'],
    change: configured(() => ({ activation: 'gelu_tanh' })),
    least: 3e-4,
  },
  { what: 'RMS norms', folders: ['gpt2', 'gpt_neox'], change: configured(() => ({ norm: 'rms' })) },
];
const cases = variants.flatMap(({ folders, ...variant }) => folders.map((folder) => ({ folder, ...variant })));

async function difference(folder: FamilyFolder, model: Model): Promise<number> {
  const executor = await openExecutor({ ...model, slots: 1, context: 48, threads: 1, kernels, maxChunk: 48 });
  try {
    const differences: number[] = [];
    for (const one of familyGolden(folder).cases) {
      differences.push(logitsDifference(await runInChunks(executor, one.ids, one.ids.length), one));
    }
    return Math.max(...differences);
  } finally {
    await executor.close();
  }
}

describe('what a family has makes a difference', () => {
  it.each(everyone)('%s: nothing changed makes none', async (folder) => {
    const model = await familyModel(folder, cacheDirectory);
    expect(await difference(folder, weighed(() => null)(model))).toBeLessThan(1e-4);
  });

  it.each(cases)('$folder: $what', async ({ folder, change, least = 1e-3 }) => {
    const model = await familyModel(folder, cacheDirectory);
    expect(await difference(folder, change(model))).toBeGreaterThan(least);
  });
});
