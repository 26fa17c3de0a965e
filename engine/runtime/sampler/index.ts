export type { SamplingState } from './adjust.ts';
export { tokenLogprob } from './logprobs.ts';
export { uniform } from './random.ts';
export { isFiniteRow, sampleToken } from './sample.ts';
