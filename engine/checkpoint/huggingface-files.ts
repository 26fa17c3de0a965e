import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TillerError } from '../core/index.ts';

/** Longest chat template that is read, in bytes: the largest in use have about 20 KB. */
const maxTemplateBytes = 2 ** 20;

const templatePiece = z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }).optional() });
const templateProcessor = z.looseObject({
  type: z.literal('TemplateProcessing'),
  single: z.array(templatePiece),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.number()) })),
});
const sequenceProcessor = z.looseObject({ type: z.literal('Sequence'), processors: z.array(z.unknown()) });

/** The token that tokenizer.json's post-processor puts before every text; null where it puts none. */
export function prependedToken(tokenizer: unknown): number | null {
  const parsed = z.looseObject({ post_processor: z.unknown() }).safeParse(tokenizer);
  return parsed.success ? prependedBy(parsed.data.post_processor) : null;
}

function prependedBy(processor: unknown): number | null {
  const sequence = sequenceProcessor.safeParse(processor);
  if (sequence.success) {
    return sequence.data.processors.map(prependedBy).find((id) => id !== null) ?? null;
  }
  const template = templateProcessor.safeParse(processor);
  if (!template.success) return null;
  const first = template.data.single[0]?.SpecialToken?.id;
  return first === undefined ? null : (template.data.special_tokens[first]?.ids[0] ?? null);
}

const tokenName = z.union([z.string(), z.looseObject({ content: z.string() })]);
const configNames = z.looseObject({ bos_token: tokenName.nullish(), eos_token: tokenName.nullish() });
const addedTokens = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number(), content: z.string() })).optional(),
});

/** `bos_token` and `eos_token` of tokenizer_config.json, as text. */
export function namedTokens(tokenizerConfig: unknown): { readonly bos: string | null; readonly eos: string | null } {
  const parsed = configNames.safeParse(tokenizerConfig ?? {});
  const text = (name: z.infer<typeof tokenName> | null | undefined) =>
    typeof name === 'string' ? name : (name?.content ?? null);
  return parsed.success
    ? { bos: text(parsed.data.bos_token), eos: text(parsed.data.eos_token) }
    : { bos: null, eos: null };
}

/** The id of tokenizer_config.json's `eos_token`: chat checkpoints name it there even where config.json has the base model's. */
export function tokenizerEndTokens(tokenizer: unknown, tokenizerConfig: unknown): number[] {
  const { eos } = namedTokens(tokenizerConfig);
  const added = addedTokens.safeParse(tokenizer);
  if (eos === null || !added.success) return [];
  return (added.data.added_tokens ?? []).filter(({ content }) => content === eos).map(({ id }) => id);
}

const templates = z.looseObject({
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
});

/** chat_template.jinja, or the (default) `chat_template` of tokenizer_config.json; null where there is neither. */
export async function chatTemplateFromFolder(folder: string, tokenizerConfig: unknown): Promise<string | null> {
  const path = join(folder, 'chat_template.jinja');
  const stats = await stat(path).catch(() => undefined);
  if (stats !== undefined) {
    if (!stats.isFile() || stats.size > maxTemplateBytes) {
      throw new TillerError('checkpoint_invalid', `${path} is not a file of at most ${maxTemplateBytes} bytes.`);
    }
    return readFile(path, 'utf8');
  }
  const parsed = templates.safeParse(tokenizerConfig ?? {});
  if (!parsed.success)
    throw new TillerError('checkpoint_invalid', 'tokenizer_config.json: chat_template is malformed.');
  const template = parsed.data.chat_template;
  if (template === null || template === undefined) return null;
  return typeof template === 'string' ? template : (template.find(({ name }) => name === 'default')?.template ?? null);
}
