/** npm run bench:registry. What is measured and how: bench/README.md. */
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { importFolderFeatures } from '../../sae-registry/imports/folder-features.ts';
import { importLabels, importNeuronpedia, openStore, registerSource } from '../../sae-registry/index.ts';
import { atLeast, type Gate, reportGates } from '../gates.ts';
import { count, readOptions, words } from '../options.ts';
import { processorSeconds } from '../rounds.ts';

const options = readOptions('bench:registry', 'Features a second of imports into the store', {
  features: [count, '131072', 'features of the dictionary'],
  files: [words, 'labels,features,explanations', 'which of these are imported'],
});

const { features } = options;
const folder = mkdtempSync(join(tmpdir(), 'tiller-bench-registry-'));
try {
  const kinds = {
    labels: () =>
      measure('a label file', labelLine, 'labels.jsonl', (store, source, path) =>
        importLabels(store, source, createReadStream(path), { origin: path, defaults: { method: 'm', author: 'a' } }),
      ),
    features: () =>
      measure('features.jsonl with four examples each', featureLine, 'features.jsonl', (store, source) =>
        importFolderFeatures(store, source, folder, 1),
      ),
    explanations: () =>
      measure("Neuronpedia's explanations", explanationLine, 'explanations/batch-0.jsonl.gz', (store, source, path) =>
        importNeuronpedia(store, source, { paths: [path], from: null }),
      ),
  };
  const gates: Gate[] = [];
  for (const [kind, measureIt] of Object.entries(kinds)) {
    if (options.files.includes(kind)) gates.push(await measureIt());
  }
  process.exitCode = reportGates(gates, options.check);
} finally {
  rmSync(folder, { recursive: true });
}

type Open = Awaited<ReturnType<typeof openStore>>;
type Known = ReturnType<typeof registerSource>;

/** Imports a made-up file into a new store on disk. */
async function measure(
  what: string,
  line: (index: number) => object,
  name: string,
  read: (store: Open, source: Known, path: string) => Promise<unknown>,
) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  const text = Readable.from(lines(line));
  const out = createWriteStream(path);
  await (name.endsWith('.gz') ? pipeline(text, createGzip(), out) : pipeline(text, out));
  const file = join(folder, `${name.replaceAll('/', '-')}.db`);
  const store = await openStore(file);
  const source = registerSource(store, {
    ...{ model: 'made-up', name: 'res', hookPoint: 'blocks.1.hook_resid_post', hookPointOut: null, layer: 1 },
    ...{ kind: 'autoencoder', activation: 'relu', features, dIn: 8, dOut: 8, hash: 'h', path: null },
  });
  const [began, processor] = [performance.now(), processorSeconds()];
  await read(store, source, path);
  const [seconds, busy] = [(performance.now() - began) / 1000, processorSeconds() - processor];
  store.close();
  const megabytes = (size: number) => `${(size / 1e6).toFixed(0)} MB`;
  console.log(
    `${what}: ${seconds.toFixed(1)} s (${busy.toFixed(1)} s of processor), ${megabytes(statSync(path).size)} file, ` +
      `${megabytes(statSync(file).size)} database, at most ${megabytes(process.resourceUsage().maxRSS * 1024)} resident`,
  );
  return atLeast(`${what}, features a second`, features / seconds, 20_000);
}

function* lines(line: (index: number) => object): Generator<string> {
  for (let first = 0; first < features; first += 1000) {
    const some = Array.from({ length: Math.min(1000, features - first) }, (_, i) => JSON.stringify(line(first + i)));
    yield `${some.join('\n')}\n`;
  }
}

/** A text of a label's length that is another for every feature. */
function phrase(index: number): string {
  return `words and phrases of kind ${index}, as in ${(index * 7919) % 104_729} and ${(index * 31) % 997}`;
}

function labelLine(index: number): object {
  return { index, label: phrase(index), clarity: 1 + (index % 3) };
}

function featureLine(index: number): object {
  const tokens = Array.from({ length: 18 }, (_, i) => ` word${(index + i) % 5000}`);
  const texts = tokens.slice(0, 10);
  return {
    ...{ index, density: 0.01, max: 30.5, p999: 28.25, mean: 10.5 },
    histogram: Array.from({ length: 20 }, (_, i) => (index * i) % 1000),
    ...{ top_logits: texts, bottom_logits: texts.slice(5), top_tokens: texts.slice(5) },
    examples: [4, 3, 2, 1].map((value) => ({ tokens, value })),
  };
}

function explanationLine(index: number): object {
  const owner = { modelId: 'made-up', layer: '1-res', index: String(index) };
  const made = { typeName: 'oai_token-act-pair', explanationModelName: 'gpt-4o-mini', authorId: 'clkht01d4' };
  return { ...owner, description: phrase(index), ...made, embedding: Array.from({ length: 256 }, (_, i) => i / 256) };
}
