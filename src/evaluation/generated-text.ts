import { type EditReport, type FinishReason, type GenerateRequest, TillerError } from '../../engine/index.ts';
import type { ModelService } from '../../routes/services.ts';
import { submitPatiently } from './submit-patiently.ts';

/** A reply, its tokens counted as the engine counts them: the one that ended it too. */
export interface GeneratedText {
  readonly tokenIds: readonly number[];
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly reports: readonly EditReport[];
}

export async function generateText(submit: ModelService['submit'], request: GenerateRequest): Promise<GeneratedText> {
  const tokenIds: number[] = [];
  let text = '';
  for await (const event of submitPatiently(submit, request)) {
    if (event.type === 'token') {
      tokenIds.push(event.tokenId);
      text += event.text;
    } else if (event.type === 'finish') {
      return { tokenIds, text: text + event.text, finishReason: event.reason, reports: event.edits };
    }
  }
  throw new TillerError('internal', 'a reply without an end');
}
