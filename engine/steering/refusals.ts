import { type ErrorCode, TillerError } from '../core/errors.ts';

export interface Refusal {
  readonly code: ErrorCode;
  /** What is wrong, and the way out. */
  readonly message: (facts: Facts) => string;
}

export type Facts = Readonly<Record<string, string | number>>;

/**
 * Every reason for which an edit is refused rather than applied inexactly: the code, what is wrong and the way out.
 * `{name}` facts are given by whoever refuses (compile-edits.ts and its helpers).
 */
export const refusals = {
  tooManyEdits: {
    code: 'too_many_edits',
    message: ({ count, limit }) => `${count} edits are more than the limit of ${limit}. Send fewer edits.`,
  },
  notEditable: {
    code: 'edit_not_applicable',
    message: ({ hookPoint, reason }) => `No edit can be made at ${hookPoint}: ${reason}.`,
  },
  numberMissing: {
    code: 'invalid_request',
    message: ({ mode, name }) => `Mode ${mode} needs a number. Give '${name}'.`,
  },
  numberUnwanted: {
    code: 'invalid_request',
    message: ({ mode }) => `Mode ${mode} takes no number. Leave it out, or choose another mode.`,
  },
  numberNotFinite: {
    code: 'edit_not_applicable',
    message: ({ name }) => `'${name}' is not a finite number. Give a finite one.`,
  },
  outOfRange: {
    code: 'edit_not_applicable',
    message: ({ value }) =>
      `The edit would write values of about ${value}, which float32 cannot carry through the model. Give a smaller number.`,
  },
  unitMeaningless: {
    code: 'edit_not_applicable',
    message: ({ unit, what }) => `Unit ${unit} has no meaning for ${what}. Leave 'unit' out, or use raw.`,
  },
  maxActivationMissing: {
    code: 'statistics_missing',
    message: ({ target }) =>
      `There is no maximum activation for ${target}, so unit max_activation cannot be turned into a number. Use unit raw, or add statistics (features.jsonl) to its source.`,
  },
  streamNormMissing: {
    code: 'statistics_missing',
    message: ({ hookPoint }) =>
      `There is no median stream norm for ${hookPoint}, so unit stream_norm cannot be turned into a number. Use unit raw, or measure the model's stream norms (tiller collect).`,
  },
  wrongWidth: {
    code: 'edit_not_applicable',
    message: ({ length, hookPoint, width }) =>
      `The direction has ${length} floats, but ${hookPoint} of this model is ${width} wide. Send ${width} floats.`,
  },
  directionNotFinite: {
    code: 'edit_not_applicable',
    message: ({ index }) => `The direction has a value that is not finite, at index ${index}. Send finite floats.`,
  },
  zeroDirection: {
    code: 'edit_not_applicable',
    message: () =>
      'The direction is zero, and a unit direction is needed here. Send a direction with a norm, or use mode add with unit raw.',
  },
  noEncoder: {
    code: 'edit_not_applicable',
    message: ({ target, what }) =>
      `The activation of ${target} depends on its whole dictionary (TopK), and ${what} has to read it. Use mode add or orthogonal.`,
  },
  pinTooWeak: {
    code: 'edit_not_applicable',
    message: ({ target, dot }) =>
      `Writing ${target} hardly moves its own reading (encoder·decoder is ${dot}, under 0.05), so no write makes it read a given value. Use mode set or add.`,
  },
  onlyIfActiveVector: {
    code: 'edit_not_applicable',
    message: () => "A vector has no threshold to be active above. Leave 'only_if_active' out, or steer a feature.",
  },
  onlyIfActiveOrthogonal: {
    code: 'edit_not_applicable',
    message: () =>
      "Mode orthogonal reads the decoder row, and 'only_if_active' the encoder row: one edit reads once. Leave it out, or use mode scale.",
  },
  emptyRange: {
    code: 'invalid_request',
    message: ({ from, to }) =>
      `Positions from ${from} to ${to} name no token. Give whole numbers with 0 ≤ from < to (half open).`,
  },
  rangeOutsidePrompt: {
    code: 'edit_not_applicable',
    message: ({ to, promptLength }) =>
      `Positions up to ${to} are named, but the prompt has ${promptLength} tokens. Give to ≤ ${promptLength}, or use positions generated.`,
  },
  sameTarget: {
    code: 'edits_conflict',
    message: ({ first, second }) =>
      `${first} and ${second} act on the same target at overlapping positions, and only edits of mode add can be summed. Keep one of them, or give them positions that do not overlap.`,
  },
  ablationsOverlap: {
    code: 'edits_conflict',
    message: ({ first, second }) =>
      `${first} and ${second} ablate different vectors at one hook point and at positions that overlap without being the same, so their span cannot be projected out at each token. Give both the same positions, or positions that do not overlap.`,
  },
} as const satisfies Record<string, Refusal>;

export type RefusalName = keyof typeof refusals;

/** Throws the refusal `name`. `param` is the field at fault. */
export function refuse(name: RefusalName, param: string, facts: Facts = {}): never {
  const refusal: Refusal = refusals[name];
  throw new TillerError(refusal.code, refusal.message(facts), { param });
}
