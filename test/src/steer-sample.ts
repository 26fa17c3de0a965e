import type { SteerResult } from '../../src/cli/steer-result.ts';

export const steerResult: SteerResult = {
  model: 'm',
  unsteered: { text: 'A plain answer.', finishReason: 'stop', completionTokens: 3 },
  steered: { text: 'An answer about the sea.', finishReason: 'length', completionTokens: 4 },
  steering: {
    edits: [
      {
        target: 'm/s/1',
        hook_point: 'blocks.1.hook_resid_post',
        mode: 'add',
        positions: 'all_but_first',
        tokens: 12,
        sink_tokens_skipped: 1,
        coefficient: { min: 2, max: 2 },
        relative_dose: 0.125,
      },
    ],
    fingerprint: { model: 'm', model_hash: 'h', precision: 'f32', sources: {}, statistics: {}, seeds: [9] },
  },
};
