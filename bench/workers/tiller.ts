/** Tiller as a worker of bench/decode.ts: the executor alone (`model`), and the whole engine with sampling (`service`). */
import type { Engine, Executor, GenerateRequest, RowStep } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import { type LoadedModel, loadModel } from '../../engine/load-model.ts';
import { answerRequests } from './answer.ts';
import { benchmarkEdits } from './edits.ts';
import { type Timing, type WorkerRequest, workerRequest } from './protocol.ts';

type Request<Op extends WorkerRequest['op']> = Extract<WorkerRequest, { op: Op }>;

let loaded: { readonly model: LoadedModel; readonly engine: Engine } | null = null;
/** The prompt whose keys and values slots 0 … rows − 1 hold. */
let held = { prompt: '', rows: 0 };
let requests = 0;

answerRequests(async (message) => {
  const request = workerRequest.parse(message);
  if (request.op === 'load') return load(request);
  if (!loaded) throw new Error('not loaded');
  const { model, engine } = loaded;
  switch (request.op) {
    case 'tokens':
      return tokens(model, request);
    case 'decode':
      return request.path === 'model' ? decodeModel(model, request) : decodeService(engine, request);
    case 'prefill':
      return timed(request.prompt.length, () => prefill(model.executor, request.prompt));
    case 'greedy':
      return greedy(model, request);
  }
});

async function load({ path, cacheDirectory, threads, rows, context }: Request<'load'>): Promise<null> {
  const model = await loadModel({ path, cacheDirectory, slots: rows, context, threads });
  const { executor, tokenizer, config } = model;
  const engine = createEngine({ executor, tokenizer, eosTokenIds: config.eosTokenIds, queueLimit: rows });
  loaded = { model, engine };
  return null;
}

function tokens({ tokenizer, chatTemplate }: LoadedModel, { text, question }: Request<'tokens'>): object {
  if (!chatTemplate) throw new Error('the model has no chat template');
  const rendered = chatTemplate.render([{ role: 'user', content: question }], { addGenerationPrompt: true });
  const encode = (value: string) => [...tokenizer.encode(value, { addSpecialTokens: false })];
  return { text: encode(text), question: encode(rendered) };
}

/** Runs a prompt through slot 0 and gives its greedy next token. */
async function prefill(executor: Executor, prompt: readonly number[]): Promise<number> {
  held = { prompt: '', rows: 0 };
  let next = 0;
  for (let start = 0; start < prompt.length; start += executor.maxChunk) {
    const chunk = Int32Array.from(prompt.slice(start, start + executor.maxChunk));
    const last = start + chunk.length === prompt.length;
    const row = rowStep(0, chunk, start, last ? 'last' : 'none', []);
    const [result] = await executor.run({ kind: 'prefill', rows: [row] });
    if (last) next = result.logits[0].topTokenIds[0];
  }
  return next;
}

/** All but the last token of the prompt in every slot; each round of decoding begins by feeding that one. */
async function hold(executor: Executor, prompt: readonly number[], rows: number): Promise<void> {
  const key = prompt.join();
  if (held.prompt === key && held.rows >= rows) return;
  const context = prompt.slice(0, -1);
  await prefill(executor, context);
  for (let slot = 1; slot < rows; slot++) executor.copySlot(0, slot, context.length);
  held = { prompt: key, rows };
}

async function decodeModel(
  { executor, config }: LoadedModel,
  { prompt, rows, steps, edits }: Request<'decode'>,
): Promise<Timing> {
  await hold(executor, prompt, rows);
  const rowEdits = benchmarkEdits(edits, config.dModel);
  if (edits > 0) await executor.prepare({ edits: [...new Set(rowEdits.map(({ edit }) => edit.hookPoint))], taps: [] });
  const last = prompt[prompt.length - 1];
  return timed(rows * steps, async () => {
    let next = new Array<number>(rows).fill(last);
    for (let step = 0; step < steps; step++) {
      const start = prompt.length - 1 + step;
      const plan = next.map((token, slot) => rowStep(slot, Int32Array.of(token), start, 'last', rowEdits));
      const results = await executor.run({ kind: 'decode', rows: plan });
      next = results.map((result) => result.logits[0].topTokenIds[0]);
    }
  });
}

/** From the moment every row has its first token until one is done, so that prompts are not counted. */
async function decodeService(engine: Engine, { prompt, rows, steps }: Request<'decode'>): Promise<Timing> {
  held = { prompt: '', rows: 0 };
  let begun = 0;
  let generated = 0;
  let from = 0;
  let to = 0;
  await Promise.all(
    Array.from({ length: rows }, async () => {
      let first = true;
      for await (const event of engine.submit(greedyRequest(prompt, steps + 1))) {
        if (event.type === 'token') {
          if (first) {
            first = false;
            if (++begun === rows) from = performance.now();
          } else if (begun === rows && to === 0) generated++;
        } else if (event.type === 'finish' && to === 0) to = performance.now();
      }
    }),
  );
  return { seconds: (to - from) / 1000, tokens: generated };
}

async function greedy(
  { executor, tokenizer }: LoadedModel,
  { prompt, tokens: count }: Request<'greedy'>,
): Promise<object> {
  const generated = [await prefill(executor, prompt)];
  while (generated.length < count) {
    const last = Int32Array.of(generated[generated.length - 1]);
    const row = rowStep(0, last, prompt.length + generated.length - 1, 'last', []);
    const [result] = await executor.run({ kind: 'decode', rows: [row] });
    generated.push(result.logits[0].topTokenIds[0]);
  }
  return { tokens: generated, text: tokenizer.decode(generated, { skipSpecial: false }) };
}

async function timed(count: number, work: () => Promise<unknown>): Promise<Timing> {
  const began = performance.now();
  await work();
  return { seconds: (performance.now() - began) / 1000, tokens: count };
}

function rowStep(
  slot: number,
  input: Int32Array,
  start: number,
  logits: RowStep['logits'],
  edits: RowStep['edits'],
): RowStep {
  return { requestId: `bench-${slot}`, slot, tokens: input, start, logits, edits, taps: [] };
}

function greedyRequest(prompt: readonly number[], maxTokens: number): GenerateRequest {
  return {
    id: `bench-${requests++}`,
    promptTokenIds: Int32Array.from(prompt),
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: new Map(),
      seed: 0,
    },
    stop: { maxTokens, minTokens: 0, strings: [], tokenIds: [], ignoreEos: true, includeStopString: false },
    logprobs: null,
    promptLogprobs: null,
    edits: [],
    positionContext: {
      promptLength: prompt.length,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array(prompt.length),
      specialTokenIds: new Set(),
    },
    deadline: null,
    signal: null,
  };
}
