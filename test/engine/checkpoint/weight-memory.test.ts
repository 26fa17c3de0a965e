import { describe, expect, it } from 'vitest';
import {
  decoderWeightSizes,
  isPacked,
  noStoredLinears,
  openCheckpoint,
  parameterCount,
  prepareFloat32Weights,
  type StoredLinears,
  unreadWeights,
  weightMemory,
  weightSizes,
} from '../../../engine/checkpoint/index.ts';
import type { OperatorSet, Precision } from '../../../engine/core/index.ts';
import { keyValueTypeOf, largestWeights, modelNeeds, tokenBytesOf } from '../../../engine/model-needs.ts';
import { prepareLinears } from '../../../engine/precision.ts';
import { hasFastIntegerProducts } from '../../../engine/runtime/index.ts';
import { familyPath } from '../../harness/families.ts';
import { testKernels } from '../../harness/kernels.ts';
import { temporaryFolder } from './fixtures.ts';

const bytesOf = ({ arrays }: StoredLinears) =>
  [...arrays.values()].reduce((sum, { location }) => sum + location.byteLength, 0);

/** A matrix of 64 outputs, 128 inputs each, and an embedding of 10 rows, as plain values. */
const sizes = (type: 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q4_1' | 'Q8_0' | 'Q6_K' | null) => ({
  linears: [{ outputs: 64, width: 128, type }],
  embedding: 1000,
  rest: 10,
});
const always = 4 * 1010;
const kernels = await testKernels();

describe('memory of weights', () => {
  it.each([
    // read where it lies, as it is: 4, 8 and 16 bits with a scale (and a minimum) a block
    ['f32', 'tiller', 'Q4_0', 64 * 128 * 0.5625, 0],
    ['f32', 'tiller', 'Q4_1', 64 * 128 * 0.625, 0],
    ['f32', 'tiller', 'Q8_0', 64 * 128 * 1.0625, 0],
    ['f32', 'tiller', 'BF16', 64 * 128 * 2, 0],
    // no form of its own: float32, packed
    ['f32', 'tiller', 'F16', 0, 64 * 128 * 4],
    ['f32', 'tiller', 'Q6_K', 0, 64 * 128 * 4],
    ['f32', 'tiller', null, 0, 64 * 128 * 4],
    // and four-bit blocks besides, for steps of one token
    ['f32', 'onnxruntime', 'Q4_0', 0, 64 * 128 * (4 + 0.75 * 1.25)],
    ['f32', 'onnxruntime', 'Q8_0', 0, 64 * 128 * 4],
    ['int8', 'tiller', 'BF16', 64 * 128 + 8 * 64, 0],
    ['int8', 'onnxruntime', 'BF16', 0, (64 * 128 + 4 * 64) * 1.06],
    ['blocks', 'tiller', 'Q4_0', 64 * 128 * 0.5625, 0],
    ['blocks', 'onnxruntime', 'Q4_0', 0, 64 * 128 * 0.75 * 1.25],
    ['blocks', 'onnxruntime', 'Q8_0', 0, 64 * 128 * 1.125 * 1.25],
    ['blocks', 'onnxruntime', 'BF16', 0, 64 * 128 * 4],
  ] as const)('in %s with the operators of %s, stored in %s', (precision, operators, type, mapped, packed) => {
    expect(weightMemory(sizes(type), precision, operators)).toEqual({
      mapped: always + mapped,
      embedding: 4000,
      packed: Math.ceil(packed),
    });
  });

  it('is packed for the operators of ONNX Runtime, and only for them', () => {
    const forms = [
      'float32',
      'int8',
      'blocks4',
      'blocks8',
      'int8tiles',
      'tiles4',
      'tiles4m',
      'tiles8',
      'tiles16',
    ] as const;
    expect(forms.filter(isPacked)).toEqual(['float32', 'int8', 'blocks4', 'blocks8']);
  });

  it('is the most of what auto may turn out to be', () => {
    expect(largestWeights(sizes('Q6_K'), 'auto', 'tiller')).toEqual(weightMemory(sizes('Q6_K'), 'f32', 'tiller'));
    expect(largestWeights(sizes('Q4_0'), 'auto', 'tiller')).toEqual(weightMemory(sizes('Q4_0'), 'int8', 'tiller'));
  });

  it('has keys and values in half precision where inputs are rounded, with own operators only', () => {
    const size = { blocks: 2, keyValueHeads: 3, headDim: 64 };
    const bytes = (precision: Precision, operators: OperatorSet) =>
      tokenBytesOf(size, keyValueTypeOf(precision, operators));
    expect(bytes('f32', 'tiller')).toBe(2 * 2 * 3 * 64 * 4);
    expect(bytes('int8', 'tiller')).toBe(2 * 2 * 3 * 64 * 2);
    expect(bytes('blocks', 'tiller')).toBe(2 * 2 * 3 * 64 * 2);
    expect(bytes('int8', 'onnxruntime')).toBe(2 * 2 * 3 * 64 * 4);
  });
});

describe('sizes of a decoder', () => {
  const size = {
    ...{ blocks: 2, dModel: 8, heads: 4, keyValueHeads: 2, headDim: 4, mlpWidth: 16 },
    ...{ vocabulary: 10, context: 32, gatedMlp: true, tied: true },
  };

  it('have every matrix', () => {
    const { linears, embedding } = decoderWeightSizes(size, { linear: 'Q4_0', embedding: 'Q8_0' });
    expect(linears.slice(0, 4)).toEqual([
      { outputs: 32, width: 8, type: 'Q4_0' },
      { outputs: 8, width: 16, type: 'Q4_0' },
      { outputs: 32, width: 8, type: 'Q4_0' },
      { outputs: 8, width: 16, type: 'Q4_0' },
    ]);
    expect(linears.at(-1)).toEqual({ outputs: 10, width: 8, type: 'Q8_0' });
    expect([linears.length, embedding]).toEqual([9, 80]);
  });

  it('count a tied unembedding once', () => {
    const blocks = 2 * (32 * 8 + 8 * 16 + 3 * 16 * 8);
    expect(parameterCount(size)).toBe(blocks + 80);
    expect(parameterCount({ ...size, tied: false })).toBe(blocks + 160);
  });
});

/** What is prepared is what was estimated, to the byte: both follow the same rules, which stand in different files. */
describe.each(['llama3', 'gpt2', 'gemma2', 'qwen2'] as const)('estimates for the tiny %s', (folder) => {
  it.each([
    ['f32', 'tiller'],
    ['f32', 'onnxruntime'],
    ['int8', 'tiller'],
    ['int8', 'onnxruntime'],
  ] as const)('in %s with the operators of %s', async (precision, operators) => {
    const library = operators === 'tiller' ? kernels : null;
    const expected =
      library !== null && (precision !== 'int8' || hasFastIntegerProducts(library)) ? 'tiller' : 'onnxruntime';
    const options = { cacheDirectory: await temporaryFolder() };
    const checkpoint = await openCheckpoint(familyPath(folder));
    try {
      const { linears, oneTokenLinears } = await prepareLinears(precision, checkpoint, library, options);
      const stored = [linears?.stored ?? noStoredLinears, ...(oneTokenLinears ? [oneTokenLinears.stored] : [])];
      const unread = unreadWeights(checkpoint.config, stored);
      const weights = await prepareFloat32Weights(checkpoint, { ...options, without: unread });
      const float32 = [...weights.tensors]
        .filter(([name]) => !unread.has(name))
        .reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
      const { mapped, packed } = modelNeeds(checkpoint, precision, expected).weights;
      const factor = precision === 'int8' ? 1.06 : 1;
      const storedBytes = stored.reduce((sum, each) => sum + bytesOf(each), 0);
      // a tied unembedding without a form of its own is packed beside the embedding that it is
      const { tiedEmbeddings, vocabularySize, dModel } = checkpoint.config;
      const again = tiedEmbeddings && !stored[0]?.forms.has('unembedding') ? vocabularySize * dModel * 4 : 0;
      expect(mapped + Math.round(packed / factor)).toBe(float32 + again + storedBytes);
      expect(weightSizes(checkpoint).embedding).toBe(vocabularySize * dModel);
    } finally {
      await checkpoint.close();
    }
  });
});
