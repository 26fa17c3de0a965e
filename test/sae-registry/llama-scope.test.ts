import { describeGolden } from '../harness/dictionaries.ts';

describeGolden('llama-scope', 1, [
  { golden: 'residual', what: 'inputs not scaled', change: () => ({ inputScale: 1 }) },
  { golden: 'residual', what: 'the threshold dropped', change: () => ({ activation: { kind: 'relu' } }) },
]);
