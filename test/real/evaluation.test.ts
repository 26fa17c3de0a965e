import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealService, startRealService } from '../harness/real-service.ts';

/** The evaluator over the default model: a feature whose effect is known by its words. */
const feature = '17-res-4k/837';
const prompts = [
  'Tell me about your day.',
  'What makes a good dinner?',
  'Describe a walk in the park.',
  'Who are you?',
];
let service: RealService;
beforeAll(async () => {
  service = await startRealService();
});
afterAll(() => service.close());

interface Dose {
  readonly strength: number;
  readonly perplexity_ratio: number;
  readonly relative_dose: number;
  readonly fluent: boolean;
  readonly effects: readonly {
    readonly mean: number;
    readonly change: number;
    readonly change_in_deviations: number;
  }[];
}
interface DoseResponse {
  readonly control: { readonly perplexity: number; readonly targets: readonly { readonly mean: number }[] };
  readonly doses: readonly Dose[];
  readonly strongest_fluent: number | null;
  readonly best: number | null;
}

describe('a dose response of the default model', () => {
  it('rises with the dose, costs fluency in the end, and finds the strongest dose before that', async () => {
    const found = await service.ask<DoseResponse>('/api/v1/steering/evaluate', {
      steering: { edits: [{ feature, mode: 'add', strength: 1 }] },
      ...{ strengths: [0, 0.4, 1.5, 8], prompts, seeds: [1, 2], max_tokens: 24, include_texts: false },
      targets: [
        { probe: { feature } },
        { words: ['God', 'heaven', 'heavens', 'Lord', 'prayer', 'pray'] },
        { continuations: ['God', 'Lord'] },
      ],
    });
    const [none, weak, strong, absurd] = found.doses;
    // strength 0 is the control itself
    expect(none?.effects.map(({ change }) => change)).toEqual([0, 0, expect.closeTo(0, 3)]);
    expect(none?.perplexity_ratio).toBeCloseTo(1, 6);
    expect(strong?.effects[0]?.change_in_deviations).toBeGreaterThan(1);
    expect(strong?.effects[1]?.change).toBeGreaterThan(0);
    expect(strong?.effects[2]?.change).toBeGreaterThan(weak?.effects[2]?.change ?? 99);
    expect(strong?.relative_dose).toBeGreaterThan(weak?.relative_dose ?? 99);
    expect(absurd?.fluent).toBe(false);
    // measured: 1.4 times the perplexity at 0.4, 4.3 times at 1.5, five and eighteen standard deviations of the probe
    expect(found).toMatchObject({ strongest_fluent: 0.4, best: 0.4 });
    expect(weak?.effects[0]?.change_in_deviations).toBeGreaterThan(1);
  });
});
