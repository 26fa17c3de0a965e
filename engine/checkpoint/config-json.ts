import { z } from 'zod';
import { type ModelConfig, TillerError } from '../core/index.ts';
import { checkedConfig } from './check-config.ts';
import { ConfigFile, type Family, familyNames, familyOfType } from './families/index.ts';
import { schemaIssues } from './schema-issues.ts';

const tokenIds = z.union([z.number(), z.array(z.number())]).nullish();
const tokensSchema = z.looseObject({ eos_token_id: tokenIds });
const configSchema = z.looseObject({
  model_type: z.string(),
  eos_token_id: tokenIds,
  text_config: z.looseObject({ eos_token_id: tokenIds }).optional(),
});

/** A configuration from Hugging Face's config.json and, where there is one, generation_config.json. */
export function configFromJson(
  path: string,
  configJson: unknown,
  generationJson: unknown,
  tokens: { readonly bosTokenId: number | null; readonly eosTokenIds: readonly number[] },
): { readonly family: Family; readonly config: ModelConfig } {
  const type = z.looseObject({ model_type: z.string() }).safeParse(configJson);
  if (!type.success) throw new TillerError('checkpoint_invalid', `${path} does not say its model_type.`);
  const family = familyOfType(type.data.model_type);
  if (family === undefined) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path} describes a model of type '${type.data.model_type}'. This version runs: ${familyNames}.`,
    );
  }
  const parsed = configSchema.safeParse(configJson);
  if (!parsed.success) throw new TillerError('checkpoint_invalid', `${path}: ${schemaIssues(parsed.error)}`);
  const generation = tokensSchema.safeParse(generationJson ?? {});
  if (!generation.success) {
    throw new TillerError('checkpoint_invalid', `generation_config.json: ${schemaIssues(generation.error)}`);
  }
  const json = parsed.data;
  const ends = [generation.data.eos_token_id, json.eos_token_id, json.text_config?.eos_token_id].flatMap(list);
  const config = checkedConfig(path, {
    ...family.configure(new ConfigFile(path, json)),
    bosTokenId: tokens.bosTokenId,
    eosTokenIds: [...ends, ...tokens.eosTokenIds],
  });
  return { family, config };
}

function list(ids: number | readonly number[] | null | undefined): readonly number[] {
  if (ids === null || ids === undefined) return [];
  return typeof ids === 'number' ? [ids] : ids;
}
