import { describe, expect, it } from 'vitest';
import { personalityText } from '../../../src/cli/demo.ts';
import type { PersonalityDemo } from '../../../src/contrast/personality.ts';

const area = { auroc: 0.98, low: 0.95, high: 1 };
const demo: PersonalityDemo = {
  data: 'cheerful-gloomy',
  prompt: 'How are you?',
  unsteered: 'I am a model.',
  contrast: {
    model: 'toy',
    method: 'difference_of_means',
    positions: 'mean',
    items: { positive: 2, negative: 2, topics: 2 },
    tokens: 20,
    folds: 2,
    bag_of_words: { ...area, auroc: 0.9 },
    vector: {
      hook_point: 'blocks.3.hook_resid_post',
      data: '',
      norm: 1,
      relative_norm: 0.1,
      held_out: area,
      effect_size: 2,
      held_out_with_choice: null,
      probe: { positive_mean: 1, negative_mean: 0, deviation: 1 },
      nearest_features: [],
      saved: null,
    },
    hook_points: [],
    sources: [],
  },
  personas: [
    { side: 'positive', strength: 0.11, change: 1.2, perplexityRatio: 1.3, reply: 'Wonderful!' },
    { side: 'negative', strength: null, change: null, perplexityRatio: null, reply: null },
  ],
};

describe('the demo of a personality', () => {
  it('shows the unsteered reply and both personas with dose, effect and cost', () => {
    const text = personalityText(demo, 120);
    for (const part of [
      'held-out AUROC 0.9800 (words alone 0.9000)',
      '> How are you?',
      'I am a model.',
      'Wonderful!',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain('positive: strength 0.11, moves test replies by 1.2 standard deviations, perplexity ×1.30');
    expect(text).toContain('negative: no dose');
  });

  it('says where no strength worked', () => {
    // narrow, and as wide as a terminal that says nothing
    expect(personalityText(demo, 80)).toContain('No strength moved the replies');
    expect(personalityText(demo, 40)).toContain('No strength moved the replies');
  });
});
