/** npm run bench:steering. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { cacheDirectory, checkout } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, retries, words } from '../options.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { rotated } from '../statistics.ts';
import { WorkerProcess } from '../worker-process.ts';
import { middle } from '../workers/middle.ts';
import { decodeTiming, type SteerReply, steerReply, type Timing, tokensReply } from '../workers/protocol.ts';
import { openedHookPoints } from './cases.ts';
import { checkSteering } from './gates.ts';
import { type PlannedCase, planCases } from './plan.ts';
import type { MeasuredCase, SteeringResults } from './results.ts';

const worker = join(import.meta.dirname, '..', 'workers', 'tiller.js');
/** Room for rows that wait until all have begun. */
const spareContext = 1024;
/** Only names of hook points are wanted to tell variants apart: more layers than any model has. */
const anyModel = { dModel: 1, blocks: 1000 };

const options = readOptions('bench:steering', 'What distinct steerings cost in one batch', {
  rounds: [count, '4', 'rounds; every case is measured once in each'],
  rows: [count, '32', 'rows of the batch'],
  steps: [count, '4', 'steps of a block'],
  blocks: [count, '3', 'pairs of an unsteered and a steered block in a round'],
  prompt: [count, '64', 'tokens of prompt before what is generated'],
  precisions: [words, 'f32', 'precisions to measure, with commas'],
  retries,
  threads: [count, String(availableParallelism()), 'threads'],
  model: [z.string(), defaultModelName, 'a model of the catalog, or a GGUF file'],
});

interface Subject {
  readonly precision: string;
  /** Never sees an edit. */
  readonly plain: WorkerProcess;
  readonly steered: WorkerProcess;
}
interface Figures {
  readonly cases: ReadonlyMap<string, SteerReply>;
  readonly unused: ReadonlyMap<string, { readonly never: Timing; readonly loaded: Timing; readonly same: boolean }>;
}

const subjects: Subject[] = [];
try {
  const results = await run();
  console.log(`Written to ${writeResults('steering', results)}`);
  process.exitCode = reportGates(checkSteering(results), options.check);
} finally {
  await Promise.all(subjects.flatMap(({ plain, steered }) => [plain.close(), steered.close()]));
}

async function run(): Promise<SteeringResults> {
  console.error(`This takes about ${4 * options.precisions.length} minutes.`);
  const machine = describeMachine(null);
  const { path: model } = await acquireModel(options.model, { cacheDirectory });
  for (const precision of options.precisions) subjects.push(await open(precision, model));
  const text = await readFile(join(checkout, 'LICENSE'), 'utf8');
  const ids = await subjects[0].plain.ask(tokensReply, { op: 'tokens', text, question: '' });
  const prompt = ids.text.slice(0, options.prompt);
  const plan = planCases(options.rows);
  for (const subject of subjects) await settle(subject, plan);
  console.error('Warming up');
  await takeRound(plan, prompt, 0, { steps: 1, blocks: 1 });
  const ownSeconds = () =>
    subjects.reduce((sum, { plain, steered }) => sum + plain.cpuSeconds + steered.cpuSeconds, processorSeconds());
  const measured = await measureRounds({ rounds: options.rounds, retries: options.retries, ownSeconds }, (round) =>
    takeRound(plan, prompt, round, options),
  );
  return {
    machine,
    settings: {
      model: basename(options.model),
      threads: options.threads,
      rounds: options.rounds,
      rows: options.rows,
      promptTokens: options.prompt,
      steps: options.steps,
      blocks: options.blocks,
    },
    cases: subjects.flatMap(({ precision }) => plan.map((entry) => measuredCase(precision, entry, measured.figures))),
    unused: subjects.map(({ precision }) => {
      const rounds = measured.figures.map(({ unused }) => found(unused, precision));
      return {
        precision,
        never: rounds.map(({ never }) => rate(never)),
        loaded: rounds.map(({ loaded }) => rate(loaded)),
        sameLogits: rounds.every(({ same }) => same),
      };
    }),
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

async function open(precision: string, model: string): Promise<Subject> {
  const start = async (name: string, warmUp?: string) => {
    console.error(`Loading ${name}`);
    const started = new WorkerProcess(name, worker);
    const context = options.prompt + options.steps + spareContext;
    const { threads, rows } = options;
    await started.ask(z.null(), { op: 'load', model, cacheDirectory, precision, threads, rows, context, warmUp });
    return started;
  };
  return { precision, plain: await start(`${precision}, never steered`, 'none'), steered: await start(precision) };
}

/** Builds the graph of every set of hook points and kind of edits in the plan before anything is timed. */
async function settle({ precision, steered }: Subject, plan: readonly PlannedCase[]): Promise<void> {
  const seen = new Set<string>();
  for (const { steering } of plan) {
    const key = [steering.kind, ...openedHookPoints(steering, anyModel)].join();
    if (seen.has(key)) continue;
    seen.add(key);
    console.error(`Building for ${precision}: ${JSON.stringify(steering)}`);
    await steered.ask(z.null(), { op: 'settle', steering, rows: options.rows });
  }
}

interface BlockSizes {
  readonly steps: number;
  readonly blocks: number;
}

async function takeRound(plan: readonly PlannedCase[], prompt: readonly number[], round: number, sizes: BlockSizes) {
  const cases = new Map<string, SteerReply>();
  const unused: Map<string, { never: Timing; loaded: Timing; same: boolean }> = new Map();
  const { rows } = options;
  const { steps, blocks } = sizes;
  for (const subject of rotated(subjects, round)) {
    const { precision, steered } = subject;
    unused.set(precision, await takeUnused(subject, prompt, sizes));
    for (const entry of rotated(plan, round)) {
      const { level, steering } = entry;
      const request = { op: 'steer', level, prompt, rows, steps, blocks, steering };
      cases.set(caseKey(precision, entry), await steered.ask(steerReply, request));
    }
  }
  const kept = [...cases.values()].map(({ steered, unsteered }) => rate(steered) / rate(unsteered));
  const headline = `kept between ${(100 * Math.min(...kept)).toFixed(1)} and ${(100 * Math.max(...kept)).toFixed(1)} %`;
  return { figures: { cases, unused }, headline };
}

/** Unsteered decoding in both processes in turn. */
async function takeUnused({ plain, steered }: Subject, prompt: readonly number[], { steps, blocks }: BlockSizes) {
  const { rows } = options;
  const never: Timing[] = [];
  const loaded: Timing[] = [];
  let same = true;
  const ask = (process: WorkerProcess, count: number) =>
    process.ask(decodeTiming, { op: 'decode', level: 'model', prompt, rows, steps: count });
  // what was run before took its caches along: the first steps of a turn are not timed
  for (let block = 0; block < 2 * blocks; block++) {
    await ask(plain, 1);
    const first = await ask(plain, steps);
    await ask(steered, 1);
    const second = await ask(steered, steps);
    never.push(first);
    loaded.push(second);
    same &&= first.logitsDigest !== undefined && first.logitsDigest === second.logitsDigest;
  }
  return { never: middle(never), loaded: middle(loaded), same };
}

function measuredCase(precision: string, planned: PlannedCase, rounds: readonly Figures[]): MeasuredCase {
  const replies = rounds.map(({ cases }) => found(cases, caseKey(precision, planned)));
  return {
    precision,
    ...planned,
    unsteered: replies.map(({ unsteered }) => rate(unsteered)),
    steered: replies.map(({ steered }) => rate(steered)),
    identical: replies.every(({ identical }) => identical),
  };
}

function caseKey(precision: string, planned: PlannedCase): string {
  return JSON.stringify([precision, planned]);
}

function rate({ tokens, seconds }: Timing): number {
  return tokens / seconds;
}

function found<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`${key} was not measured`);
  return value;
}
