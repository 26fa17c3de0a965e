import { z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import type { ModelService } from '../services.ts';

export const messageSchema = z
  .strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })
  .openapi('ReadMessage');

/**
 * The tokens of a text or a conversation that is to be read, not answered: a conversation ends with its last message. Throws
 * `invalid_request` unless exactly one is given, `unsupported` for a model without a chat template, `context_length_exceeded`.
 */
export async function readingPrompt(
  model: ModelService,
  given: { readonly text?: string; readonly messages?: readonly z.infer<typeof messageSchema>[] },
  signal: AbortSignal,
): Promise<Int32Array> {
  const { text, messages } = given;
  if ((text === undefined) === (messages === undefined)) {
    throw new TillerError('invalid_request', "Give exactly one of 'text' and 'messages'.", {
      param: text === undefined ? 'text' : 'messages',
    });
  }
  const tokenIds =
    messages === undefined
      ? await model.encode(text ?? '', { addSpecialTokens: true, signal })
      : await model.encode(rendered(model, messages), { addSpecialTokens: false, signal });
  const { contextLength } = model.card;
  if (tokenIds.length > contextLength) {
    const message = `The text has ${tokenIds.length} tokens and the context holds ${contextLength}: shorten it.`;
    throw new TillerError('context_length_exceeded', message, { param: text === undefined ? 'messages' : 'text' });
  }
  return tokenIds;
}

function rendered({ card, chatTemplate }: ModelService, messages: readonly z.infer<typeof messageSchema>[]): string {
  if (!chatTemplate) {
    throw new TillerError('unsupported', `'${card.id}' has no chat template: give 'text'.`, { param: 'messages' });
  }
  return chatTemplate.render(messages, { addGenerationPrompt: false });
}
