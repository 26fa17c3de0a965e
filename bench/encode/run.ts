/** npm run bench:encode. What is measured and how: bench/README.md. */
import { availableParallelism } from 'node:os';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import type { Encoder, EncoderRule, Encoding } from '../../engine/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, retries } from '../options.ts';
import { seededRandom } from '../random.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { openBenchModel } from '../workers/open-bench-model.ts';
import { checkEncode } from './gates.ts';
import { openPlainProduct } from './plain-product.ts';
import type { EncodeResults } from './results.ts';

const tokens = 512;
const hookPoint = 'blocks.17.hook_resid_post';
/** About forty features of 4,096 fire where p exceeds so many times its deviation. */
const rare = 2.33;

const options = readOptions('bench:encode', 'What reading features at full width adds to a prompt', {
  rounds: [count, '9', 'times that each is read'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
  retries,
});

const results = await run();
console.log(`Written to ${writeResults('encode', results)}`);
process.exitCode = reportGates(checkEncode(results), options.check);

async function run(): Promise<EncodeResults> {
  const machine = describeMachine(null);
  const { rounds, threads } = options;
  await acquireModel(defaultModelName, { cacheDirectory });
  const how = { cacheDirectory, precision: 'f32', threads, rows: 1, context: 1024 };
  const ready = await openBenchModel({ model: defaultModelName, ...how });
  const { executor, config } = ready.model;
  const cases = [
    { title: '4,096 features above a threshold', encoder: randomEncoder(4096, config.dModel, 'threshold') },
    { title: 'the 40 largest of 4,096 features', encoder: randomEncoder(4096, config.dModel, 'largest') },
    { title: '65,536 features above a threshold', encoder: randomEncoder(65_536, config.dModel, 'threshold') },
    { title: 'the 40 largest of 65,536 features', encoder: randomEncoder(65_536, config.dModel, 'largest') },
  ];
  const next = seededRandom(1);
  const ids = Int32Array.from({ length: tokens }, () => Math.floor(next() * config.vocabularySize));
  const read = async (encodings: readonly Encoding[]) => {
    const began = performance.now();
    for (let start = 0; start < tokens; start += executor.maxChunk) {
      const chunk = ids.slice(start, start + executor.maxChunk);
      const row = { requestId: 'bench', slot: 0, tokens: chunk, start, edits: [], taps: [], encodings };
      await executor.run({ kind: 'prefill', rows: [{ ...row, logits: 'none' }] });
    }
    return (performance.now() - began) / 1000;
  };
  const most = Math.max(...cases.map(({ encoder }) => encoder.outputs));
  const product = await openPlainProduct({ tokens, width: config.dModel, outputs: most, threads });
  await product.run();
  const taking: readonly (readonly Encoding[])[] = [[], ...cases.map(({ encoder }) => [{ encoder, limit: 256 }])];
  for (const encodings of taking) await executor.prepare({ edits: [], taps: [], encodings });
  for (const encodings of taking) await read(encodings);
  const measured = await measureRounds(
    { rounds, retries: options.retries, ownSeconds: processorSeconds },
    async (round) => {
      const figures: number[] = [];
      // another one begins each round: none always follows the same
      const ways = [...taking.map((encodings) => () => read(encodings)), () => product.run()];
      for (const i of ways.map((_, at) => (at + round) % ways.length)) figures[i] = (await ways[i]?.()) ?? Number.NaN;
      return { figures, headline: `${figures.map((seconds) => (seconds * 1000).toFixed(0)).join(', ')} ms` };
    },
  );
  product.close();
  await ready.close();
  const column = (i: number) => measured.figures.map((figures) => figures[i] ?? Number.NaN);
  return {
    machine,
    settings: { rounds, threads, tokens, width: config.dModel },
    plain: column(0),
    encoders: cases.map(({ title, encoder }, i) => ({ title, outputs: encoder.outputs, seconds: column(i + 1) })),
    product: { outputs: most, seconds: column(cases.length + 1) },
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

/** Random rows in half precision; a threshold that about one in a hundred features exceeds, on a stream of the norm that is usual there. */
function randomEncoder(outputs: number, width: number, kind: 'threshold' | 'largest'): Encoder {
  const next = seededRandom(outputs);
  const rows = Float32Array.from({ length: outputs * width }, () => Math.round((next() - 0.5) * 1024) / 1024);
  const usualNorm = 188;
  const threshold = rare * usualNorm * Math.sqrt(1 / 12);
  const rule: EncoderRule =
    kind === 'threshold'
      ? { kind, thresholds: new Float32Array(outputs).fill(threshold) }
      : { kind, count: 40, rectified: true };
  return {
    key: `bench-${outputs}-${kind}`,
    hookPoint,
    width,
    outputs,
    input: { scale: 1, centred: false, norm: 'none', epsilon: 0, bias: null },
    rows: (first, number) => rows.subarray(first * width, (first + number) * width),
    piece: 1024,
    bias: new Float32Array(outputs),
    factors: null,
    rule,
  };
}
