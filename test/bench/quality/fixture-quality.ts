import type { QualityResults } from '../../../bench/quality/results.ts';

type Precision = QualityResults['precisions'][number];

function predictions(perplexity: number, divergence: number, topAgreement: number): Precision['prompt'] {
  const spread = { mean: divergence, p99: divergence * 5, max: divergence * 50 };
  return { tokens: 2046, perplexity, divergence: spread, topAgreement };
}

/** f32 beside itself, and a precision that costs 3 %. */
export const qualityFixture: QualityResults = {
  machine: {
    cpu: 'A processor',
    cores: 2,
    memoryBytes: 8e9,
    platform: 'linux-x64',
    node: 'v20.0.0',
    onnxruntime: '1.30.0',
    llamaCpp: null,
    date: '2026-01-02T03:04:05.000Z',
    commit: 'abcdef123456',
    loadAverage: 0,
  },
  settings: {
    model: 'tiny',
    weights: 'abc',
    text: 'a-book.txt',
    textSha256: 'def',
    windows: 2,
    windowTokens: 1024,
    firstToken: '<|begin|>',
    threads: 2,
  },
  source: { id: 'tiny/0-res', hookPoint: 'blocks.0.hook_resid_post', features: 4096, positions: 2046 },
  precisions: [
    {
      precision: 'f32',
      prompt: predictions(20, 0, 1),
      oneByOne: predictions(25, 1e-11, 1),
      ownPath: predictions(25, 1e-11, 1),
      features: {
        firingInReference: 40,
        firing: 40,
        precision: 1,
        recall: 1,
        jaccard: 1,
        weightedJaccard: 1,
        relativeError: { median: 0, p99: 0 },
      },
      stream: { cosine: { median: 1, least: 1 }, relativeError: { median: 0, p99: 0 } },
    },
    {
      precision: 'int8',
      prompt: predictions(20.6, 0.02, 0.92),
      oneByOne: predictions(25.9, 0.03, 0.91),
      ownPath: predictions(25.9, 0.025, 0.93),
      features: {
        firingInReference: 40,
        firing: 39.5,
        precision: 0.95,
        recall: 0.94,
        jaccard: 0.9,
        weightedJaccard: 0.93,
        relativeError: { median: 0.0345, p99: 0.2 },
      },
      stream: { cosine: { median: 0.998, least: 0.97 }, relativeError: { median: 0.06, p99: 0.12 } },
    },
  ],
};
