import { describeGolden } from '../harness/dictionaries.ts';

describeGolden('sparsify', 5, [
  { golden: 'layers.1', what: 'the decoder bias left on the input', change: () => ({ inputBias: null }) },
  {
    golden: 'layers.2',
    what: 'one feature more',
    change: () => ({ activation: { kind: 'topk', k: 5, rectified: true } }),
  },
  { golden: 'layers.3', what: 'TopK', change: () => ({ activation: { kind: 'topk', k: 8, rectified: true } }) },
  { golden: 'layers.1.mlp', what: 'nothing skipping', change: () => ({ skip: null }) },
  {
    golden: 'layers.2.mlp',
    what: 'the decoder bias taken off the input of a transcoder (as SAELens does with normalize_decoder)',
    change: ({ decoderBias }) => ({ inputBias: decoderBias }),
  },
]);
