import { TillerError } from '../../engine/core/index.ts';
import type { ModelService } from '../services.ts';
import { readingPrompt } from './reading-prompt.ts';

/**
 * Several texts as tokens, each as one that is read. Throws `invalid_request`, which says what is possible `beyond`, for more than `most` tokens together, and as
 * `readingPrompt`; nothing has been read then.
 */
export async function readingTexts(
  model: ModelService,
  texts: readonly string[],
  { most, beyond }: { readonly most: number; readonly beyond: string },
  signal: AbortSignal,
): Promise<Int32Array[]> {
  const sequences: Int32Array[] = [];
  let tokens = 0;
  for (const [i, text] of texts.entries()) {
    const ids = await readingPrompt(model, { text }, signal);
    tokens += ids.length;
    if (tokens > most) {
      const message = `The texts up to the ${i + 1}th have ${tokens} tokens, and at most ${most} are read in a request: give fewer (${beyond}).`;
      throw new TillerError('invalid_request', message, { param: 'texts' });
    }
    sequences.push(ids);
  }
  return sequences;
}
