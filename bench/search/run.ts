/** npm run bench:search. What is measured and how: bench/README.md. */

import { Embedder } from '../../sae-registry/embedder/embedder.ts';
import { acquireEmbedder } from '../../sae-registry/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, wholeNumbers } from '../options.ts';
import { busySeconds, otherLoad } from '../other-load.ts';
import { writeResults } from '../results.ts';
import { processorSeconds } from '../rounds.ts';
import { checkSearch } from './gates.ts';
import { measureSize } from './measure-size.ts';
import { measureQuality } from './quality.ts';
import type { SearchResults } from './results.ts';

const options = readOptions('bench:search', 'Speed, size and quality of feature search', {
  sizes: [wholeNumbers, '131072,1000000', 'features of the stores that are searched'],
  queries: [count, '400', 'queries in each way of asking'],
  embedded: [count, '131072', 'labels that are embedded for real (6 minutes, once); the others are moved from those'],
  seed: [count, '1', 'seed of labels, vectors and queries'],
});

const results = await run();
console.log(`Written to ${writeResults('search', results)}`);
process.exitCode = reportGates(checkSearch(results), options.check);

async function run(): Promise<SearchResults> {
  const machine = describeMachine(null);
  const files = await acquireEmbedder({ cacheDirectory });
  const embedder = await Embedder.open(files);
  const settings = { seed: options.seed, queries: options.queries, embedded: options.embedded };
  const sizes: SearchResults['sizes'] = [];
  const loads: number[] = [];
  for (const features of options.sizes) {
    console.error(`${features} features`);
    const [busy, own, began] = [busySeconds(), processorSeconds(), performance.now()];
    const size = await measureSize(features, files, embedder, settings);
    const seconds = (performance.now() - began) / 1000;
    loads.push(otherLoad(busySeconds() - busy, processorSeconds() - own, seconds));
    sizes.push(size);
    console.error(`  recall@10 ${size.recallAtTen.toFixed(3)}, first search ${size.firstSearchSeconds.toFixed(1)} s`);
    for (const { mode, clients, p50, p99 } of size.latencies) {
      console.error(`  ${mode}, ${clients} clients: ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
    }
  }
  console.error('Quality');
  const quality = await measureQuality(embedder);
  await embedder.close();
  const { hybrid, lexical, semantic } = quality.recallAtFive;
  console.error(
    `  recall@5: hybrid ${hybrid.toFixed(3)}, lexical ${lexical.toFixed(3)}, semantic ${semantic.toFixed(3)}`,
  );
  for (const { weight, tuned, heldOut } of quality.halves ?? []) {
    console.error(
      `  weight ${weight} on one half: ${tuned.toFixed(3)} there, ${heldOut.hybrid.toFixed(3)} on the other`,
    );
  }
  return { machine, settings, sizes, quality, otherLoad: loads, disturbedRounds: 0 };
}
