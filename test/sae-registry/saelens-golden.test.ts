import { describeGolden } from '../harness/dictionaries.ts';

describeGolden('saelens', 23, [
  { golden: 'standard', what: 'the decoder bias left on the input', change: () => ({ inputBias: null }) },
  { golden: 'jumprelu', what: 'thresholds dropped', change: () => ({ activation: { kind: 'relu' } }) },
  { golden: 'topk', what: 'one feature more', change: () => ({ activation: { kind: 'topk', k: 7, rectified: true } }) },
  { golden: 'topk-rescaled', what: 'decoder norms left where they are', change: () => ({ foldDecoderNorms: false }) },
  { golden: 'gated', what: 'the gate left open', change: () => ({ activation: { kind: 'relu' } }) },
  { golden: 'constant-norm', what: 'inputs of any norm', change: () => ({ normalisation: { kind: 'none' } }) },
  {
    golden: 'layer-norm',
    what: 'another epsilon',
    change: () => ({ normalisation: { kind: 'layer-norm', epsilon: 1 } }),
  },
  { golden: 'centred', what: 'the mean of the stream left in', change: () => ({ centred: false }) },
  { golden: 'skip_transcoder', what: 'nothing skipping', change: () => ({ skip: null }) },
  { golden: 'average', what: 'inputs not scaled', change: () => ({ inputScale: 1 }) },
  { golden: 'jumprelu-folded', what: 'decoder norms kept', change: () => ({ foldDecoderNorms: false }) },
]);
