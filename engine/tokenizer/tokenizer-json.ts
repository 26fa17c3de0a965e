import { z } from 'zod';
import { TillerError } from '../core/index.ts';

const addedToken = z.looseObject({
  id: z.number().int().nonnegative(),
  content: z.string().min(1),
  special: z.boolean().default(false),
  single_word: z.boolean().default(false),
});

/** A vocabulary may hold `__proto__` or half a million entries: it is checked by hand in `checkVocabulary`. */
const vocabulary = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);
const component = z.looseObject({ type: z.string() });

/** Half a million of them in the largest vocabularies: checked by hand too. */
const merges = z.custom<(string | [string, string])[]>(
  (value) => Array.isArray(value) && value.every(isMerge),
  "each merge is 'left right' or [left, right]",
);

function isMerge(merge: unknown): boolean {
  if (!Array.isArray(merge)) return typeof merge === 'string';
  return merge.length === 2 && typeof merge[0] === 'string' && typeof merge[1] === 'string';
}

const schema = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer: component.nullish(),
  pre_tokenizer: component.nullish(),
  post_processor: component.nullish(),
  decoder: component.nullish(),
  model: z.looseObject({
    type: z.string().optional(),
    vocab: vocabulary,
    merges: merges.default([]),
    byte_fallback: z.boolean().nullish(),
  }),
});

/** The parts of a tokenizer.json that Tiller itself reads; the rest is kept for the library. */
export type TokenizerJson = z.infer<typeof schema>;
export type Component = z.infer<typeof component>;

export function isComponent(value: unknown): value is Component {
  return component.safeParse(value).success;
}

/**
 * Checks a tokenizer.json. Only BPE models are taken: Unigram and WordPiece are refused by name. Token ids must lie within the
 * model's vocabulary, else text could name a row of the embedding that does not exist.
 */
export function parseTokenizerJson(path: string, json: unknown, vocabularySize: number): TokenizerJson {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const kind = z.looseObject({ model: component }).safeParse(json);
    if (kind.success && kind.data.model.type !== 'BPE') throw unsupportedModel(path, kind.data.model.type);
    throw new TillerError('checkpoint_invalid', `${path}: tokenizer.json: ${z.prettifyError(parsed.error)}`);
  }
  const { model, added_tokens: added } = parsed.data;
  // files older than tokenizers 0.9 do not name the type
  if (model.type !== undefined && model.type !== 'BPE') throw unsupportedModel(path, model.type);
  checkVocabulary(
    path,
    [...Object.entries(model.vocab), ...added.map(({ content, id }) => [content, id] as const)],
    vocabularySize,
  );
  const single = added.find((token) => token.single_word);
  if (single) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: added token '${single.content}' is single_word, which is not supported.`,
    );
  }
  return { ...parsed.data, model: { ...model, type: 'BPE' } };
}

function checkVocabulary(path: string, tokens: readonly (readonly [string, unknown])[], vocabularySize: number): void {
  if (tokens.length === 0) throw new TillerError('checkpoint_invalid', `${path}: its tokenizer has no tokens.`);
  for (const [token, id] of tokens) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= vocabularySize) {
      throw new TillerError(
        'checkpoint_invalid',
        `${path}: token ${JSON.stringify(token.slice(0, 40))} has the id ${String(id)}, outside the model's vocabulary of ${vocabularySize}.`,
      );
    }
  }
}

function unsupportedModel(path: string, type: string): TillerError {
  return new TillerError(
    'checkpoint_unsupported',
    `${path}: tokenizers of type ${type} are not supported yet. BPE is.`,
  );
}
