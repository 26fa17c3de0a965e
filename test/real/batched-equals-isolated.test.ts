import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileEdits,
  createEngine,
  type EditSpecification,
  type Engine,
  type GenerateRequest,
  type SteeringMode,
} from '../../engine/index.ts';
import type { LoadedModel } from '../../engine/load-model.ts';
import { openRegistry, type Registry } from '../../sae-registry/index.ts';
import { loadDefaultModel } from '../harness/default-model.ts';
import { randomNumbers } from '../harness/tiny-model.ts';

const sourceId = 'smollm2-135m-instruct/17-res-4k';
const rows = 16;

let model: LoadedModel;
let registry: Registry;
let engine: Engine;
beforeAll(async () => {
  model = await loadDefaultModel({ slots: rows });
  const { dModel, blocks } = model.config;
  const facts = { id: 'smollm2-135m-instruct', dModel, blocks, hash: model.hash };
  registry = await openRegistry({ model: facts, sources: [sourceId] });
  const { tokenizer, config } = model;
  engine = createEngine({
    executor: model.executor,
    tokenizer,
    eosTokenIds: config.eosTokenIds,
    queueLimit: 64,
  });
});
afterAll(() => engine.close());

const random = randomNumbers(11);
const between = (low: number, high: number) => low + Math.floor((random() + 0.5) * (high - low + 1));
const topics = [
  'the sea',
  'a lost dog',
  'bread',
  'winter',
  'the number seven',
  'my grandmother',
  'space travel',
  'jazz',
];
const asks = ['Tell me about', 'Write one sentence on', 'Why do people like', 'Make a short list about'];

function promptOf(i: number): Int32Array {
  const content = `${asks[i % 4]} ${topics[i % 8]}. ${'Please be kind. '.repeat(between(0, 12))}`;
  const text = model.chatTemplate?.render([{ role: 'user', content }], { addGenerationPrompt: true }) ?? '';
  return model.tokenizer.encode(text, { addSpecialTokens: false });
}

/** Every third row unsteered; the others with one to three edits at one or two hook points. */
function specificationsOf(i: number): EditSpecification[] {
  if (i % 3 === 0) return [];
  const common = { positions: i % 2 ? 'all_but_first' : 'generated', skipSpecial: false, onlyIfActive: false } as const;
  const modes: readonly [SteeringMode, number | null][] = [
    ['add', 0.5 + (i % 4) * 0.4],
    ['set', 0.8],
    ['scale', 3],
    ['ablate', null],
  ];
  return Array.from({ length: 1 + (i % 3) }, (_, k) => {
    const [mode, number] = modes[(i + k) % 4] as [SteeringMode, number | null];
    const direction = Float32Array.from({ length: model.config.dModel }, () => random());
    const vector = registry.vectorTarget(
      'inline',
      i % 4 ? 'blocks.17.hook_resid_post' : 'blocks.9.hook_resid_mid',
      direction,
    );
    const feature = registry.target(`${sourceId}/${between(0, 4095)}`, 'feature');
    const target = k === 2 ? vector : feature;
    return k === 2
      ? { ...common, target, mode: 'add', number: 0.2, unit: 'stream_norm', param: `edits[${k}]` }
      : { ...common, target, mode, number, unit: null, param: `edits[${k}]` };
  });
}

function requestOf(i: number): GenerateRequest {
  const promptTokenIds = promptOf(i);
  const { dModel, blocks } = model.config;
  const compiled = compileEdits(specificationsOf(i), {
    dModel,
    blocks,
    maxEdits: 8,
    promptLength: promptTokenIds.length,
  });
  const greedy = i % 2 === 0;
  return {
    id: `row-${i}`,
    promptTokenIds,
    sampling: {
      temperature: greedy ? 0 : 0.6 + (i % 5) * 0.2,
      topP: i % 4 === 1 ? 0.9 : 1,
      topK: i % 4 === 3 ? 40 : 0,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: new Map(),
      seed: 1000 + i,
    },
    stop: {
      maxTokens: between(8, 40),
      minTokens: 0,
      strings: [],
      tokenIds: [],
      ignoreEos: i % 5 === 0,
      includeStopString: false,
    },
    logprobs: null,
    promptLogprobs: null,
    edits: compiled.map(({ edit }) => edit),
    positionContext: {
      promptLength: promptTokenIds.length,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array(promptTokenIds.length),
      specialTokenIds: model.tokenizer.specialTokenIds,
    },
    deadline: null,
    signal: null,
  };
}

const requests = new Map<string, GenerateRequest>();

async function tokensOf(request: GenerateRequest): Promise<number[]> {
  const tokens: number[] = [];
  for await (const event of engine.submit(request)) if (event.type === 'token') tokens.push(event.tokenId);
  return tokens;
}

describe('16 rows with different prompts, lengths, seeds and steerings', () => {
  it('give together, joined and left at random times, token for token what each gives alone', async () => {
    for (let i = 0; i < rows; i++) requests.set(`row-${i}`, requestOf(i));
    const alone = new Map<string, number[]>();
    for (const [id, request] of requests) alone.set(id, await tokensOf({ ...request, id: `alone-${id}` }));

    const order = [...requests.values()].sort(() => random());
    const together = new Map<string, number[]>();
    const leavers: Promise<unknown>[] = [];
    await Promise.all(
      order.map(async (request, at) => {
        await sleep(between(0, 1500));
        // Every fourth row shares the batch for a while with one that leaves early.
        if (at % 4 === 0) {
          const leaver = { ...request, id: `leaver-${at}`, signal: AbortSignal.timeout(between(100, 600)) };
          leavers.push(tokensOf(leaver).catch((error: unknown) => error));
        }
        together.set(request.id, await tokensOf(request));
      }),
    );
    await Promise.all(leavers);

    // The same bits, so that no choice may fall the other way, however close it was.
    expect(model.operators).toBe('tiller');
    for (const [id, expected] of alone) expect(together.get(id), id).toEqual(expected);
    const compared = [...alone.values()].reduce((sum, tokens) => sum + tokens.length, 0);
    console.log(`compared ${compared} tokens of ${rows} rows`);
    expect(compared).toBeGreaterThan(rows * 8);

    const steered = [...requests.values()].filter(({ edits }) => edits.length > 0);
    let changed = 0;
    for (const request of steered.slice(0, 4)) {
      const plain = await tokensOf({ ...request, id: `plain-${request.id}`, edits: [] });
      if (plain.join() !== alone.get(request.id)?.join()) changed++;
    }
    expect(changed, 'steering does something').toBeGreaterThan(0);
    expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0, keyValueTokens: 0 });
  });
});
