import { describeGolden } from '../harness/dictionaries.ts';

describeGolden('dictionary-learning', 7, [
  { golden: 'relu', what: 'the bias left on the input', change: () => ({ inputBias: null }) },
  { golden: 'relu', what: 'decoder norms kept', change: () => ({ foldDecoderNorms: false }) },
  {
    golden: 'relu-april-update',
    what: 'the decoder bias taken off the input',
    change: ({ decoderBias }) => ({ inputBias: decoderBias }),
  },
  { golden: 'gated', what: 'the gate left open', change: () => ({ activation: { kind: 'relu' } }) },
  { golden: 'jumprelu', what: 'thresholds dropped', change: () => ({ activation: { kind: 'relu' } }) },
  { golden: 'topk', what: 'one feature more', change: () => ({ activation: { kind: 'topk', k: 7, rectified: true } }) },
  { golden: 'batchtopk', what: 'the threshold dropped', change: () => ({ activation: { kind: 'relu' } }) },
  { golden: 'matryoshka', what: 'the threshold dropped', change: () => ({ activation: { kind: 'relu' } }) },
]);
