import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Edit, Engine } from '../../engine/core/index.ts';
import type { Timing } from './protocol.ts';
import { greedyRequest } from './request.ts';

/** How many more tokens than are timed a row may generate while the other rows' prompts are still being read. */
const headStart = 24;

export interface TimedDecode {
  readonly timing: Timing;
  /** The first `steps` tokens of each row. */
  readonly tokens: readonly (readonly number[])[];
}

/**
 * Continues `rows` copies of a prompt through the engine: queue, scheduler, sampler, text. Timed from the moment when every row has
 * its first token until all together have generated `steps` more each; prompts are not counted.
 */
export async function decodeThroughEngine(
  engine: Engine,
  prompt: readonly number[],
  steps: number,
  rows: number,
  edits: readonly (readonly Edit[])[] | null,
): Promise<TimedDecode> {
  // reads the prompt once, so that the rows can begin close together where prompts are shared
  if (rows > 1) await firstToken(engine, prompt);
  const enough = new AbortController();
  setMaxListeners(0, enough.signal);
  const tokens: number[][] = Array.from({ length: rows }, () => []);
  let begun = 0;
  let generated = 0;
  let from = 0;
  let to = 0;
  const follow = async (row: number) => {
    const longest = steps + 1 + headStart * rows;
    for await (const event of engine.submit(greedyRequest(prompt, longest, edits?.[row] ?? [], enough.signal))) {
      if (event.type !== 'token') continue;
      if (tokens[row].push(event.tokenId) === 1) {
        if (++begun === rows) from = performance.now();
      } else if (begun === rows && to === 0 && ++generated === rows * steps) {
        to = performance.now();
        enough.abort();
      }
    }
  };
  const ends = await Promise.allSettled(tokens.map((_, row) => follow(row)));
  await givenBack(engine);
  const failed = ends.find((end) => end.status === 'rejected');
  if (to === 0) throw failed?.reason ?? new Error('rows ended before the others had begun');
  const timing = { seconds: (to - from) / 1000, tokens: generated };
  return { timing, tokens: tokens.map((row) => row.slice(0, steps)) };
}

/** From submitting a prompt to its first token. */
export async function firstToken(engine: Engine, prompt: readonly number[]): Promise<Timing> {
  const began = performance.now();
  let seconds = 0;
  for await (const event of engine.submit(greedyRequest(prompt, 1))) {
    if (event.type === 'token' && seconds === 0) seconds = (performance.now() - began) / 1000;
  }
  await givenBack(engine);
  return { seconds, tokens: prompt.length };
}

/** Rows give their memory back after their callers have gone: whatever is timed next should neither wait for that nor meet it. */
async function givenBack(engine: Engine): Promise<void> {
  while (engine.statistics().keyValueTokens > 0) await nextTurn();
}

/** All requests at once, from the first submission to the last token. */
export async function runBatch(
  engine: Engine,
  requests: readonly { readonly prompt: readonly number[]; readonly maxTokens: number }[],
): Promise<Timing> {
  const began = performance.now();
  let tokens = 0;
  const follow = async ({ prompt, maxTokens }: (typeof requests)[number]) => {
    for await (const event of engine.submit(greedyRequest(prompt, maxTokens))) if (event.type === 'token') tokens++;
  };
  await Promise.all(requests.map(follow));
  return { seconds: (performance.now() - began) / 1000, tokens };
}
