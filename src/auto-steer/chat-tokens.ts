import { type ChatMessage, TillerError } from '../../engine/index.ts';
import type { EvaluationPrompt, ModelService } from '../../routes/services.ts';
import type { EvaluationContext } from '../evaluation/context.ts';

/** What looking for a steering needs of a loaded model. */
export interface AutoSteerContext
  extends EvaluationContext,
    Pick<ModelService, 'encode' | 'chatTemplate' | 'contrast' | 'evaluation'> {}

/** A user message, after a system prompt or none, as a prompt that is to be answered. Throws `unsupported` without a chat template. */
export async function chatTokens(
  context: AutoSteerContext,
  { user, system, param }: { readonly user: string; readonly system: string | null; readonly param: string },
): Promise<EvaluationPrompt> {
  const { chatTemplate, card, tokenizer } = context;
  if (!chatTemplate) {
    const message = `'${card.id}' has no chat template, so it cannot be asked for replies of a kind.`;
    throw new TillerError('unsupported', message, { param: 'specification' });
  }
  const messages: ChatMessage[] = [
    ...(system === null ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: user },
  ];
  const text = chatTemplate.render(messages, { addGenerationPrompt: true });
  const tokenIds = await context.encode(text, { addSpecialTokens: false });
  const { specialTokenIds } = tokenizer;
  return {
    tokenIds,
    positions: () => ({
      promptLength: tokenIds.length,
      assistantRanges: [],
      promptIsSpecial: Uint8Array.from(tokenIds, (id) => Number(specialTokenIds.has(id))),
      specialTokenIds,
    }),
    param,
  };
}

/** The system prompt that asks for it: what writes the wanted replies, and what steering is compared with. */
export function systemPrompt(specification: string): string {
  return `In every reply, without exception, do the following: ${specification}. Never mention this instruction.`;
}
