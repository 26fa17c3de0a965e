/** npm run bench:models. What is measured and how: bench/README.md. */
import { mkdir, rm, symlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { elementCount, openCheckpoint } from '../../engine/checkpoint/index.ts';
import { compileKernels } from '../../engine/runtime/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { quietGate, reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, words } from '../options.ts';
import { busySeconds, otherLoad } from '../other-load.ts';
import { writeResults } from '../results.ts';
import { processorSeconds } from '../rounds.ts';
import { writeGguf } from '../weights/write-gguf.ts';
import { bytesIn, measurePrecision } from './measure.ts';
import { choices, chosen, type Stored } from './plan.ts';
import { RandomWeights } from './random-weights.ts';
import type { ModelsResults, PrecisionFigures } from './results.ts';
import { type ModelShape, shapes } from './shapes.ts';
import { writeRandomGguf } from './write-gguf.ts';
import { writeRandomSafetensors } from './write-safetensors.ts';

interface BenchModel {
  readonly name: string;
  readonly title: string;
  /** Gives a checkpoint whose matrices are stored so, made in `folder` where it has to be made. */
  make(stored: Stored, folder: string): Promise<string>;
}

const models: readonly BenchModel[] = [
  { name: 'default', title: defaultModelName, make: makeDefault },
  ...shapes.map((shape) => ({
    name: shape.name,
    title: shape.title,
    make: (stored: Stored, folder: string) => generate(shape, stored, folder),
  })),
];

const options = readOptions('bench:models', 'Memory and speed of larger models, with random weights, by precision', {
  models: [words, models.map(({ name }) => name).join(','), 'that take part'],
  precisions: [words, choices.map(({ name }) => name).join(','), 'that they are loaded in'],
  rounds: [count, '2', 'rounds; every speed is measured once in each'],
  steps: [count, '16', 'tokens that one row generates in a round'],
  'batch-steps': [count, '4', 'the same for each of several rows'],
  prefill: [count, '128', 'tokens of a prompt timed by itself'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
});
const taking = { models: chosen(models, options.models), choices: chosen(choices, options.precisions) };

/** All that is generated and prepared; what an earlier run left goes first. */
const folder = join(cacheDirectory, 'bench-models');
await rm(folder, { recursive: true, force: true });
try {
  const results = await run();
  console.log(`Written to ${writeResults('models', results)}`);
  process.exitCode = reportGates([quietGate(results)], options.check);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function run(): Promise<ModelsResults> {
  const { rounds, threads, steps, 'batch-steps': batchSteps, prefill: prefillTokens } = options;
  const settings = { threads, rounds, steps, batchSteps, prefillTokens };
  await compileKernels(cacheDirectory);
  const measured: ModelsResults['models'] = [];
  const loads: number[] = [];
  const results = { machine: describeMachine(null), settings, models: measured, otherLoad: loads, disturbedRounds: 0 };
  for (const model of taking.models) {
    const precisions: PrecisionFigures[] = [];
    for (const stored of new Set(taking.choices.map((choice) => choice.stored))) {
      const path = await model.make(stored, join(folder, 'checkpoint'));
      const parameters = await parametersOf(path);
      if (precisions.length === 0) measured.push({ title: model.title, parameters, precisions });
      for (const choice of taking.choices.filter((each) => each.stored === stored)) {
        const before = { busy: busySeconds(), own: processorSeconds(), at: performance.now() };
        const cache = await emptyCache();
        const how = { model: path, cacheDirectory: cache, precision: choice.precision, ...settings };
        const { figures, cpuSeconds } = await measurePrecision(how);
        precisions.push({ choice: choice.name, checkpointBytes: await bytesIn(path), ...figures });
        const seconds = (performance.now() - before.at) / 1000;
        loads.push(otherLoad(busySeconds() - before.busy, cpuSeconds + processorSeconds() - before.own, seconds));
        // each time: a run takes long, and what is measured is measured
        writeResults('models', results);
        console.error(
          `${model.title}, ${choice.title}: ${seconds.toFixed(0)} s, other load ${loads.at(-1)?.toFixed(2)}; ` +
            `loads in ${figures.loadSeconds.toFixed(1)} s, ${figures.decodeOne.at(-1)?.toFixed(1)} tokens/s`,
        );
      }
      await rm(folder, { recursive: true, force: true });
    }
  }
  return results;
}

/** Nothing prepared, and Tiller's own operators as they are compiled already. */
async function emptyCache(): Promise<string> {
  const cache = join(folder, 'cache');
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await symlink(join(cacheDirectory, 'kernels'), join(cache, 'kernels'));
  return cache;
}

async function parametersOf(path: string): Promise<number> {
  const checkpoint = await openCheckpoint(path);
  await checkpoint.close();
  return [...checkpoint.tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

async function generate(shape: ModelShape, stored: Stored, into: string): Promise<string> {
  console.error(`Generating ${shape.title} in ${stored}`);
  const path = join(into, stored === 'bf16' ? shape.name : `${shape.name}.gguf`);
  const write = stored === 'bf16' ? writeRandomSafetensors : writeRandomGguf;
  await write(path, shape, new RandomWeights());
  return path;
}

/** The default model's own file has four-bit blocks. */
async function makeDefault(stored: Stored, into: string): Promise<string> {
  const { path } = await acquireModel(defaultModelName, { cacheDirectory });
  if (stored === 'q4') return path;
  const target = join(into, 'default.gguf');
  await writeGguf(path, target, 'BF16');
  return target;
}
