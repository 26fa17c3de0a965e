// @ts-check
/**
 * The thread of thread-encoder.ts. JavaScript, so that Node runs it as it stands, from the checkout as well as from dist: a
 * worker is started by its file, and tests load TypeScript in their own thread only.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Tokenizer } from '@huggingface/tokenizers';
import { withoutDoubledStart } from './single-start.js';

/** @type {{ tokenizer: Record<string, unknown>, config: Record<string, unknown>, start: number | null }} */
const source = JSON.parse(workerData);
const library = new Tokenizer(source.tokenizer, source.config);

/** @param {{ text: string, addSpecialTokens: boolean }} job */
function encode({ text, addSpecialTokens }) {
  const { ids } = library.encode(text, { add_special_tokens: addSpecialTokens });
  const tokenIds = Int32Array.from(ids.filter((/** @type {number | undefined} */ id) => id !== undefined));
  return addSpecialTokens ? withoutDoubledStart(tokenIds, source.start) : tokenIds;
}

parentPort?.on('message', (job) => {
  try {
    const tokenIds = encode(job);
    parentPort?.postMessage({ tokenIds }, [tokenIds.buffer]);
  } catch (error) {
    parentPort?.postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
});
