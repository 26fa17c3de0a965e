/** npm run bench:interventions. What is measured and how: bench/README.md. */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { type Engine, greedyRequest, inParallelPatiently, logitsAfter, patchActivations } from '../../engine/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, retries } from '../options.ts';
import { seededRandom } from '../random.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { openBenchModel } from '../workers/open-bench-model.ts';
import { checkInterventions } from './gates.ts';
import type { InterventionResults } from './results.ts';

const options = readOptions('bench:interventions', 'Activation patching against as many whole prompts', {
  rounds: [count, '3', 'times that each is done'],
  layers: [count, '30', 'layers that are patched, the first ones'],
  positions: [count, '40', 'positions that are patched: tokens of the prompt'],
  together: [count, '12', 'requests that are with the engine at once'],
  precision: [z.string().min(1), 'f32', 'precision of linear layers'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
  retries,
});

const results = await run();
console.log(`Written to ${writeResults('interventions', results)}`);
process.exitCode = reportGates(checkInterventions(results), options.check);

async function run(): Promise<InterventionResults> {
  const machine = describeMachine(null);
  const { rounds, layers, positions, together, precision, threads } = options;
  await acquireModel(defaultModelName, { cacheDirectory });
  const how = { cacheDirectory, precision, threads, rows: 32, context: 1024, warmUp: 'none', prefixCacheBytes: '0' };
  const { engine, model, close } = await openBenchModel({ model: defaultModelName, ...how });
  const { config } = model;
  const next = seededRandom(1);
  const clean = Int32Array.from({ length: positions }, () => Math.floor(next() * config.vocabularySize));
  const corrupted = clean.map((id, at) => (at === 3 ? (id + 1) % config.vocabularySize : id));
  const tokens = Int32Array.of(100, 200);
  const work = {
    ...{ clean, corrupted, tokens, together, blocks: config.blocks },
    hookPoints: Array.from({ length: layers }, (_, block) => `blocks.${block}.hook_resid_post`),
    positions: [...clean.keys()],
  };
  const prefill = (runs: number) => seconds(() => prefills(engine, { corrupted, tokens, together, runs }));
  const patch = (id: string) => seconds(() => patchActivations(engine, { ...work, id }));
  const runs = layers * positions;
  await prefill(Math.min(runs, 2 * together));
  const first = await patch('first');
  const measured = await measureRounds(
    { rounds, retries: options.retries, ownSeconds: processorSeconds },
    async (round) => {
      const figures = { prefills: 0, patched: 0 };
      // the other one begins each round
      for (const turn of [round, round + 1]) {
        if (turn % 2 === 0) figures.prefills = await prefill(runs);
        else figures.patched = await patch(`round-${round}`);
      }
      const headline = `${runs} prompts ${figures.prefills.toFixed(1)} s, patched ${figures.patched.toFixed(1)} s`;
      return { figures, headline };
    },
  );
  await close();
  return {
    machine,
    settings: { rounds, threads, precision, layers, positions, together },
    first,
    prefills: measured.figures.map((figures) => figures.prefills),
    patched: measured.figures.map((figures) => figures.patched),
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

/** Whole prompts, nothing of them shared, with the logits that patched runs tell. */
async function prefills(
  engine: Engine,
  { corrupted, tokens, together, runs }: { corrupted: Int32Array; tokens: Int32Array; together: number; runs: number },
): Promise<void> {
  const items = Array.from({ length: runs }, (_, at) => at);
  await inParallelPatiently(items, together, new AbortController(), async (at) => {
    const promptLogits = logitsAfter(corrupted.length, tokens);
    let told = false;
    for await (const event of engine.submit(greedyRequest(`whole-${at}`, corrupted, 0, { promptLogits }))) {
      told ||= event.type === 'logits';
    }
    if (!told) throw new Error('a prompt was read without its logits');
  });
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
