/** Tiller as the worker of bench/endurance: what a server meets in days, in minutes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import type { Engine, Executor } from '../../engine/core/index.ts';
import type { ReadyModel } from '../../src/services.ts';
import { readMemory } from '../process-memory.ts';
import { median } from '../statistics.ts';
import { idleEdit } from '../steering/edits.ts';
import { answerRequests } from '../workers/answer.ts';
import { ModelLevel } from '../workers/model-level.ts';
import { openBenchModel } from '../workers/open-bench-model.ts';
import { greedyRequest } from '../workers/request.ts';
import {
  type buildsReply,
  type EnduranceRequestOf,
  enduranceRequest,
  type longReply,
  type variantsReply,
} from './protocol.ts';

/** Builds count as done when none was for so long. */
const settledMilliseconds = 1500;
const promptTokens = 32;
const quietSteps = 60;

let ready: ReadyModel | null = null;

answerRequests(async (message) => {
  const request = enduranceRequest.parse(message);
  if (request.op === 'load') {
    ready = await openBenchModel(request);
    // what is built ahead for everybody is none of the figures
    await settled(ready.model.executor);
    return null;
  }
  if (!ready) throw new Error('not loaded');
  switch (request.op) {
    case 'variants':
      return useVariants(ready, request);
    case 'builds':
      return decodeWhileBuilding(ready, request);
    case 'long':
      return generateLong(ready, request);
  }
});

const ids = (length: number, from = 0) => Array.from({ length }, (_, i) => 1000 + ((from + i * 7) % 20_000));
const resident = () => readMemory(process.pid).resident;

/** Different sets of hook points: one layer, the next two, the next three, and so on from every layer. */
function hookPointSets(blocks: number): string[][] {
  return Array.from({ length: blocks }, (_, first) =>
    Array.from({ length: 1 + (first % 3) }, (_, next) => `blocks.${(first + next) % blocks}.hook_resid_post`),
  );
}

async function useVariants(
  { engine, model }: ReadyModel,
  { variants, rows }: EnduranceRequestOf<'variants'>,
): Promise<z.infer<typeof variantsReply>> {
  const sets = hookPointSets(model.config.blocks).slice(0, variants);
  if (sets.length < variants) throw new Error(`there are only ${sets.length} sets of hook points`);
  const bytes: number[] = [];
  for (const [seed, hookPoints] of sets.entries()) {
    const edits = hookPoints.map((hookPoint) => idleEdit('set', hookPoint, model.config.dModel, seed));
    const follow = async (row: number) => {
      for await (const _ of engine.submit(greedyRequest(ids(promptTokens, row), 8, edits)));
    };
    // again once nothing is being built any more, so that the variant built for them is in use too
    for (let time = 0; time < 2; time++) {
      await Promise.all(Array.from({ length: rows }, (_, row) => follow(row)));
      await settled(model.executor);
    }
    bytes.push(resident());
  }
  return { resident: bytes, built: model.executor.statistics().variantsBuilt };
}

async function settled(executor: Executor): Promise<void> {
  let built = executor.statistics().variantsBuilt;
  let since = performance.now();
  while (performance.now() - since < settledMilliseconds) {
    await delay(50);
    const now = executor.statistics().variantsBuilt;
    if (now !== built) [built, since] = [now, performance.now()];
  }
}

async function decodeWhileBuilding(
  { model }: ReadyModel,
  { builds, rows }: EnduranceRequestOf<'builds'>,
): Promise<z.infer<typeof buildsReply>> {
  const { executor, config } = model;
  const alone = new ModelLevel(executor);
  const prompt = ids(promptTokens);
  const step = async () => 1000 * (await alone.decode(prompt, 1, rows, null)).timing.seconds;
  const before = executor.statistics().variantsBuilt;
  const [quiet, building]: [number[], number[]] = [[], []];
  for (let i = 0; i < 10; i++) await step();
  for (const hookPoints of hookPointSets(config.blocks).slice(0, builds)) {
    for (let i = 0; i < quietSteps; i++) quiet.push(await step());
    building.push(...(await stepsDuringBuild(executor, hookPoints, step)));
  }
  return { quiet, building, built: executor.statistics().variantsBuilt - before };
}

/** Steps from asking for a variant until the last graph that this has built is there; others may follow the one that is waited for. */
async function stepsDuringBuild(
  executor: Executor,
  hookPoints: readonly string[],
  step: () => Promise<number>,
): Promise<number[]> {
  const steps: { readonly began: number; readonly milliseconds: number }[] = [];
  let built = executor.statistics().variantsBuilt;
  let lastBuilt = performance.now();
  let prepared = false;
  const preparing = executor.prepare({ edits: hookPoints, taps: [] }).then(() => {
    prepared = true;
  });
  while (!prepared || performance.now() - lastBuilt < settledMilliseconds) {
    const began = performance.now();
    steps.push({ began, milliseconds: await step() });
    const now = executor.statistics().variantsBuilt;
    if (now !== built) [built, lastBuilt] = [now, performance.now()];
  }
  await preparing;
  return steps.filter(({ began }) => began < lastBuilt).map(({ milliseconds }) => milliseconds);
}

async function generateLong(
  { engine, model }: ReadyModel,
  { tokens, fresh, window }: EnduranceRequestOf<'long'>,
): Promise<z.infer<typeof longReply>> {
  const long = await follow(engine, ids(promptTokens), tokens, window);
  const again = await follow(engine, ids(fresh, 1), window, window);
  return {
    windows: long.windows,
    freshMilliseconds: median(again.intervals),
    longMilliseconds: median(long.intervals.slice(fresh - promptTokens, fresh - promptTokens + window)),
    keyValueBytesPerToken: model.needs.tokenBytes,
  };
}

/** Generates so many tokens and notes the times between them and, at every window's end, memory. */
async function follow(engine: Engine, prompt: readonly number[], tokens: number, window: number) {
  const intervals: number[] = [];
  const windows: { tokens: number; medianMilliseconds: number; resident: number }[] = [];
  let last = 0;
  for await (const event of engine.submit(greedyRequest(prompt, tokens + 1))) {
    if (event.type !== 'token') continue;
    if (last > 0) intervals.push(performance.now() - last);
    if (intervals.length > 0 && intervals.length % window === 0) {
      const medianMilliseconds = median(intervals.slice(-window));
      windows.push({ tokens: intervals.length, medianMilliseconds, resident: resident() });
    }
    last = performance.now();
  }
  return { intervals, windows };
}
