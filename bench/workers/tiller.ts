/** Tiller as a worker of the benchmarks: the executor alone (`model`), and the whole engine with sampling (`service`). */
import { setTimeout as delay } from 'node:timers/promises';
import type { ReadyModel } from '../../src/services.ts';
import { openedHookPoints, rowEdits } from '../steering/cases.ts';
import { answerRequests } from './answer.ts';
import { middle } from './middle.ts';
import { ModelLevel } from './model-level.ts';
import { openBenchModel } from './open-bench-model.ts';
import { type RequestOf, type SteerReply, type Timing, workerRequest } from './protocol.ts';
import { decodeThroughEngine, firstToken, runBatch } from './service-level.ts';

/** A variant counts as settled when none was built for so long. */
const settledMilliseconds = 2500;

interface Loaded extends ReadyModel {
  readonly alone: ModelLevel;
}
let loaded: Loaded | null = null;
/** Prompts so far that nothing may be cached of. */
let uncached = 0;

answerRequests(async (message) => {
  const request = workerRequest.parse(message);
  if (request.op === 'load') return load(request);
  if (!loaded) throw new Error('not loaded');
  if (request.op !== 'tokens' && !(request.op === 'decode' && request.level === 'model')) loaded.alone.forget();
  switch (request.op) {
    case 'tokens':
      return tokens(loaded, request);
    case 'decode':
      return decode(loaded, request);
    case 'prefill':
      return prefill(loaded, request);
    case 'greedy':
      return greedy(loaded, request);
    case 'settle':
      return settle(loaded, request);
    case 'steer':
      return steer(loaded, request);
    case 'batch':
      return runBatch(loaded.engine, request.requests);
  }
});

async function load(request: RequestOf<'load'>): Promise<null> {
  const ready = await openBenchModel(request);
  loaded = { ...ready, alone: new ModelLevel(ready.model.executor) };
  return null;
}

function tokens({ model }: Loaded, { text, question }: RequestOf<'tokens'>): object {
  const { tokenizer, chatTemplate } = model;
  if (!chatTemplate) throw new Error('the model has no chat template');
  const rendered = chatTemplate.render([{ role: 'user', content: question }], { addGenerationPrompt: true });
  const encode = (value: string) => [...tokenizer.encode(value, { addSpecialTokens: false })];
  return { text: encode(text), question: encode(rendered) };
}

async function decode({ engine, alone }: Loaded, { level, prompt, rows, steps }: RequestOf<'decode'>): Promise<object> {
  if (level === 'service') return (await decodeThroughEngine(engine, prompt, steps, rows, null)).timing;
  const { timing, logitsDigest } = await alone.decode(prompt, steps, rows, null);
  return { ...timing, logitsDigest };
}

async function prefill({ engine, alone }: Loaded, { level, prompt }: RequestOf<'prefill'>): Promise<Timing> {
  // another first token each time: nothing of the prompt can be in a prefix cache
  if (level === 'service') return firstToken(engine, [1000 + uncached++, ...prompt.slice(1)]);
  const began = performance.now();
  await alone.prefill(prompt);
  return { seconds: (performance.now() - began) / 1000, tokens: prompt.length };
}

async function greedy({ alone, model }: Loaded, { prompt, tokens: count }: RequestOf<'greedy'>): Promise<object> {
  const generated = await alone.greedy(prompt, count);
  return { tokens: generated, text: model.tokenizer.decode(generated, { skipSpecial: false }) };
}

async function settle({ alone, model }: Loaded, { steering, rows }: RequestOf<'settle'>): Promise<null> {
  const { executor, config } = model;
  await executor.prepare({ edits: openedHookPoints(steering, config), taps: [] });
  const edits = rowEdits(steering, rows, config);
  let built = -1;
  let since = performance.now();
  while (performance.now() - since < settledMilliseconds) {
    await alone.decode([1, 2], 1, rows, edits);
    const now = executor.statistics().variantsBuilt;
    if (now !== built) [built, since] = [now, performance.now()];
    await delay(50);
  }
  return null;
}

async function steer(loadedModel: Loaded, request: RequestOf<'steer'>): Promise<SteerReply> {
  const { level, prompt, rows, steps, blocks, steering } = request;
  const { alone, engine, model } = loadedModel;
  const edits = rowEdits(steering, rows, model.config);
  const run = (of: typeof edits | null) =>
    level === 'service' ? decodeThroughEngine(engine, prompt, steps, rows, of) : alone.decode(prompt, steps, rows, of);
  const unsteered: Timing[] = [];
  const steered: Timing[] = [];
  let identical = true;
  for (let block = 0; block < blocks; block++) {
    const order = block % 2 === 0 ? [null, edits] : [edits, null];
    const [first, second] = [await run(order[0]), await run(order[1])];
    const [without, withEdits] = block % 2 === 0 ? [first, second] : [second, first];
    unsteered.push(without.timing);
    steered.push(withEdits.timing);
    identical &&= String(without.tokens) === String(withEdits.tokens);
  }
  return { unsteered: middle(unsteered), steered: middle(steered), identical };
}
