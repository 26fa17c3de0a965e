import fc from 'fast-check';
import type { Edit, GenerateRequest, Positions } from '../../engine/core/index.ts';
import { requestFrom } from './requests.ts';
import { randomNumbers, tinyConfig } from './tiny-model.ts';

/** One request of a schedule, as small numbers that fast-check can shrink. */
export interface ScheduledRequest {
  /** Which of the two long texts the prompt begins with, how much of it, and what follows. */
  readonly text: number;
  readonly shared: number;
  readonly own: number;
  readonly ownSeed: number;
  readonly steering: number;
  readonly maxTokens: number;
  /** Turns of the event loop before it comes. */
  readonly delay: number;
  /** Leaves after so many events; null stays to the end. */
  readonly leavesAfter: number | null;
  /** Wants log-probabilities of its prompt. */
  readonly echo: boolean;
}

export interface Schedule {
  readonly requests: readonly ScheduledRequest[];
  /** Blocks that the prefix cache has room for. */
  readonly budgetBlocks: number;
  /** Most tokens of rows and blocks; null: every slot full. */
  readonly keyValueTokenLimit: number | null;
}

const random = randomNumbers(23);
const direction = (scale: number) => Float32Array.from({ length: tinyConfig.dModel }, () => random() * scale);
const vocabularySize = 260;
const texts = [0, 1].map(() => Array.from({ length: 96 }, () => Math.floor((random() + 0.5) * vocabularySize)));

/** Edits strong enough that a token of another steering shows in the logits. */
function editWith(hookPoint: string, reads: boolean): Edit {
  return {
    hookPoint,
    read: reads ? { direction: direction(1), bias: 0.1, threshold: 0.2 } : null,
    coefficient: { beta: 1, gamma: reads ? -0.6 : 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
    write: direction(4),
    positions: 'all',
    skipSpecial: false,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm: Number.POSITIVE_INFINITY,
  };
}
const [early, other, late] = [
  editWith('blocks.0.hook_resid_pre', true),
  editWith('blocks.0.hook_resid_pre', false),
  editWith('blocks.0.hook_resid_post', true),
] as const;
const at = (edit: Edit, positions: Positions, skipSpecial = false): Edit => ({ ...edit, positions, skipSpecial });

/** Steerings that differ in what they do, in where, in both, in neither, and in what follows the prompt only. */
export const steerings: readonly (readonly Edit[])[] = [
  [],
  [],
  [at(early, 'all')],
  [at(early, 'all')],
  [at(other, 'all')],
  [at(early, 'all_but_first')],
  [at(early, { from: 0, to: 96 })],
  [at(early, { from: 20, to: 30 })],
  [at(early, { from: 22, to: 30 })],
  [at(other, { from: 20, to: 30 })],
  [at(early, 'generated')],
  [at(late, 'generated'), at(other, 'last')],
  [at(early, 'last')],
  [at(early, 'assistant', true)],
  [at(early, 'prompt', true)],
  [at(early, 'all'), at(late, { from: 40, to: 41 })],
  [at(late, { from: 40, to: 41 }), at(early, 'all')],
  [at(early, 'all'), at(late, 'generated')],
];

/** The request of a schedule's entry; the same entry always gives the same tokens and edits. */
export function buildRequest(entry: ScheduledRequest, id: string): GenerateRequest {
  const { text, shared, own, ownSeed, steering, maxTokens, echo } = entry;
  const next = randomNumbers(1000 + ownSeed);
  const tail = Array.from({ length: own }, () => Math.floor((next() + 0.5) * vocabularySize));
  const prompt = [...(texts[text] as number[]).slice(0, shared), ...tail];
  const request = requestFrom({
    id,
    prompt,
    // fresh objects, as different requests have them
    edits: (steerings[steering] as readonly Edit[]).map((edit) => ({ ...edit, write: edit.write.slice() })),
    logprobs: 2,
    promptLogprobs: echo ? 1 : null,
    stop: { maxTokens, ignoreEos: true },
  });
  const promptIsSpecial = Uint8Array.from(prompt, (token) => (token % 9 === 0 ? 1 : 0));
  return { ...request, positionContext: { ...request.positionContext, promptIsSpecial } };
}

const scheduledRequest = fc.record<ScheduledRequest>({
  text: fc.nat(1),
  shared: fc.constantFrom(1, 16, 17, 31, 32, 40, 48, 64, 65, 80, 96),
  own: fc.constantFrom(0, 0, 1, 5, 16, 20),
  ownSeed: fc.nat(2),
  steering: fc.nat(steerings.length - 1),
  maxTokens: fc.integer({ min: 1, max: 24 }),
  delay: fc.constantFrom(0, 0, 1, 5, 30),
  leavesAfter: fc.oneof({ weight: 7, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(6) }),
  echo: fc.nat(9).map((number) => number === 0),
});

/** Requests that begin alike and are steered alike, partly or not at all; with cancels, and with memory enough or not. */
export const schedules: fc.Arbitrary<Schedule> = fc.record({
  requests: fc.array(scheduledRequest, { minLength: 4, maxLength: 14 }),
  budgetBlocks: fc.constantFrom(2, 7, 60, 60),
  keyValueTokenLimit: fc.constantFrom(null, null, 200),
});
