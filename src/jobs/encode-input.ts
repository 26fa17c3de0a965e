import { TillerError } from '../../engine/core/index.ts';
import type { ModelService } from '../../routes/services.ts';
import type { JobInput } from './job-kind.ts';

/** A line of a data set as tokens. Throws `unsupported` without a chat template, `context_length_exceeded`, `invalid_request` for one token. */
export async function encodeInput(model: ModelService, input: JobInput, signal: AbortSignal): Promise<Int32Array> {
  const { card, chatTemplate } = model;
  let tokenIds: Int32Array;
  if ('text' in input) tokenIds = await model.encode(input.text, { addSpecialTokens: true, signal });
  else {
    if (!chatTemplate) throw new TillerError('unsupported', `'${card.id}' has no chat template: give 'text'.`);
    const text = chatTemplate.render([...input.messages], { addGenerationPrompt: false });
    tokenIds = await model.encode(text, { addSpecialTokens: false, signal });
  }
  if (tokenIds.length > card.contextLength) {
    const message = `The text has ${tokenIds.length} tokens and the context holds ${card.contextLength}: shorten it.`;
    throw new TillerError('context_length_exceeded', message);
  }
  if (tokenIds.length < 2) {
    throw new TillerError('invalid_request', 'The text is one token, and the first token of a text is never counted.');
  }
  return tokenIds;
}
