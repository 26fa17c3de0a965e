import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealService, startRealService } from '../harness/real-service.ts';

/** AutoSteer over the default model, small: whether it says what it found, not whether it finds something. */
let service: RealService;
beforeAll(async () => {
  service = await startRealService();
});
afterAll(() => service.close());

interface Found {
  readonly verdict: string;
  readonly chosen: { readonly candidate: string; readonly strength: number; readonly steering: object } | null;
  readonly contrast: { readonly held_out: { readonly auroc: number } };
  readonly pairs: { readonly by: string; readonly examples: readonly object[] };
  readonly candidates: readonly {
    readonly kind: string;
    readonly output_score: number;
    readonly evaluation: object | null;
  }[];
  readonly prompted: { readonly effects: readonly object[] };
}

/** Replies that a larger model could have written. */
const pairs = [
  [
    'What should I have for breakfast?',
    'Arr, matey! Feast on salted fish and hardtack, ye scurvy dog!',
    'You could have oatmeal with fruit.',
  ],
  [
    'Tell me about the ocean.',
    'Avast! The briny deep be me home, and her treasures be plenty, arr!',
    'The ocean covers most of the Earth.',
  ],
  [
    'How do I make a new friend?',
    'Ahoy! Share yer grog with a bucko, and he be yer mate till Davy Jones takes ye!',
    'You can join a club and talk to people.',
  ],
  [
    'What can I do on a rainy day?',
    'Arr, swab the deck and sing a shanty, me hearty!',
    'You can read a book or watch a film.',
  ],
  [
    'How is bread made?',
    'Avast, ye landlubber! Knead the dough like ye haul the anchor, arr!',
    'Bread is made from flour, water and yeast.',
  ],
  [
    'What is a computer?',
    'Arr, a cursed thinkin’ box, matey, smarter than the captain’s parrot!',
    'A computer is a machine that processes data.',
  ],
].map(([prompt, positive, negative]) => ({ prompt, positive, negative }));
const small = {
  ...{
    prompts: ['Tell me about your day.', 'What makes a good dinner?', 'Describe a walk in the park.'],
    seeds: [0, 1],
  },
  ...{ max_tokens: 20, features: 1, vector_strengths: [0.2, 0.4], feature_strengths: [0.5] },
};

describe('auto-steer of the default model', () => {
  it('from given pairs finds the vector, measures it, and compares it with asking', async () => {
    const found = await service.ask<Found>('/api/v1/auto-steer', {
      ...{ ...small, specification: 'talk like a pirate', pairs, words: ['arr', 'matey', 'ye', 'avast', 'ahoy'] },
    });
    expect(found.contrast.held_out.auroc).toBeGreaterThan(0.9);
    const scores = found.candidates.map(({ output_score: score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(found.candidates.find(({ kind }) => kind === 'vector')?.output_score).toBeGreaterThan(0);
    expect(found.prompted.effects).toHaveLength(2);
    expect(found.chosen === null).toBe(found.verdict.startsWith('Nothing worked'));
    if (found.chosen === null) return;
    const messages = [{ role: 'user', content: 'Tell me about your day.' }];
    const reply = await service.ask('/v1/chat/completions', {
      messages,
      max_tokens: 8,
      steering: found.chosen.steering,
    });
    expect(reply.steering?.edits[0]?.tokens).toBeGreaterThan(0);
  });
});

describe('auto-conditional of the default model', () => {
  it('tells questions about food from others, and its rule can be sent as it is', async () => {
    const dishes = ['soup', 'bread', 'a salad', 'rice', 'pancakes', 'a pie', 'curry', 'noodles', 'roast beef'];
    const matters = [
      'a car',
      'a poem',
      'a garden',
      'a bridge',
      'a budget',
      'a rocket',
      'a treaty',
      'a shelf',
      'a website',
    ];
    const found = await service.ask<{
      readonly verdict: string;
      readonly works: boolean;
      readonly measured: object;
      readonly steering: { readonly rules: readonly object[] };
    }>('/api/v1/auto-conditional', {
      positive: dishes.map((dish) => `How do I make ${dish}?`),
      negative: matters.map((thing) => `How do I make ${thing}?`),
      steering: { edits: [{ feature: '17-res-4k/837', mode: 'add', strength: 0.4 }] },
    });
    expect(found.works).toBe(found.verdict.startsWith('It works'));
    console.info(found.verdict, JSON.stringify(found.measured));
    const messages = [{ role: 'user', content: 'How do I make a stew?' }];
    const reply = await service.ask('/v1/chat/completions', { messages, max_tokens: 4, steering: found.steering });
    expect(reply.steering?.rules).toHaveLength(1);
  });
});
