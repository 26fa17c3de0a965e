import { z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { toChatPrompt } from '../prompts/chat-prompt.ts';
import { refuseFarTooLong } from '../prompts/least-tokens.ts';
import { chatPositionContext, plainPositionContext } from '../prompts/position-context.ts';
import type { EvaluationPrompt, ModelService } from '../services.ts';
import { messageSchema } from './reading-prompt.ts';

/** One prompt that is to be answered. */
export const generationPromptSchema = z
  .union([
    z.string().min(1),
    z.strictObject({ messages: z.array(messageSchema).min(1).max(1024) }),
    z.strictObject({ text: z.string().min(1) }),
    z.strictObject({ token_ids: z.array(z.int().min(0)).min(1) }),
  ])
  .openapi('GenerationPrompt', {
    description:
      'A text alone is one user message (where the model has no chat template: plain text). `messages` is a conversation that is answered, `text` and `token_ids` are gone on from as they are.',
    example: 'Tell me about your day.',
  });

type PromptBody = z.infer<typeof generationPromptSchema>;

/** Prompts as tokens. Throws `unsupported` for messages without a chat template, `context_length_exceeded`, `invalid_request`. */
export async function generationPrompts(
  model: ModelService,
  prompts: readonly PromptBody[],
  signal: AbortSignal,
): Promise<readonly EvaluationPrompt[]> {
  const made: EvaluationPrompt[] = [];
  for (const [i, prompt] of prompts.entries()) made.push(await promptOf(model, prompt, `prompts[${i}]`, signal));
  return made;
}

async function promptOf(
  model: ModelService,
  prompt: PromptBody,
  param: string,
  signal: AbortSignal,
): Promise<EvaluationPrompt> {
  const { tokenizer } = model;
  const said = typeof prompt === 'string' && model.chatTemplate ? [{ role: 'user' as const, content: prompt }] : null;
  const messages = said ?? (typeof prompt === 'object' && 'messages' in prompt ? prompt.messages : null);
  if (messages !== null) {
    const chat = await toChatPrompt(model, messages, { signal });
    return { tokenIds: chat.tokenIds, positions: (edits) => chatPositionContext(chat, tokenizer, edits), param };
  }
  const tokenIds = await plainTokens(model, prompt, param, signal);
  if (tokenIds.length === 0) throw new TillerError('invalid_request', 'A prompt of no token.', { param });
  return { tokenIds, positions: () => plainPositionContext(tokenIds, tokenizer), param };
}

async function plainTokens(
  model: ModelService,
  prompt: PromptBody,
  param: string,
  signal: AbortSignal,
): Promise<Int32Array> {
  if (typeof prompt === 'object' && 'token_ids' in prompt) return Int32Array.from(prompt.token_ids);
  const text = typeof prompt === 'string' ? prompt : 'text' in prompt ? prompt.text : '';
  refuseFarTooLong(text, model, param);
  return model.encode(text, { addSpecialTokens: true, signal });
}
