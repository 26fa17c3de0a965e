/** npm run bench:quality. What each precision costs: docs/precisions.md. */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { precisions } from '../../engine/core/index.ts';
import { type LoadedModel, loadModel } from '../../engine/index.ts';
import { openRegistry, type Registry } from '../../sae-registry/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions } from '../options.ts';
import { writeResults } from '../results.ts';
import { fastEncoder } from './encode.ts';
import { checkQuality } from './gates.ts';
import { measureQuality, type PrecisionModel } from './measure.ts';
import type { QualityResults } from './results.ts';
import { firstTokenOf, readText, textName, windowsOf } from './text.ts';

const options = readOptions('bench:quality', 'What each precision costs: predictions and SAE features against f32', {
  precisions: [
    z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(z.enum(precisions)).min(1)),
    precisions.join(','),
    'measured, of f32, int8 and blocks',
  ],
  windows: [count, '1000', 'at most so many windows of the text'],
  'window-tokens': [count, '1024', 'tokens of a window, its first token included'],
  'first-token': [z.string().min(1), '<|im_start|>', 'begins a window where the tokenizer itself prepends nothing'],
  'one-by-one': [count, '256', "tokens of the first window's that are read again, one a step"],
  threads: [count, String(availableParallelism()), 'threads of the engine'],
  model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint'],
});

/** Redrawn on a terminal, else one line for each tenth. */
function progress(done: number, total: number): void {
  const tenth = Math.floor((done * 10) / total);
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${total} tokens${done === total ? '\n' : ''}`);
  else if (tenth > shownTenth) console.error(`${done} of ${total} tokens`);
  shownTenth = tenth;
}
let shownTenth = 0;

async function run(): Promise<QualityResults> {
  const machine = describeMachine(null);
  const { path } = await acquireModel(options.model, { cacheDirectory });
  const models: LoadedModel[] = [];
  try {
    for (const precision of new Set(['f32' as const, ...options.precisions])) {
      console.error(`Loading ${precision}`);
      const sizes = { slots: 1, context: options['window-tokens'] };
      const model = await loadModel({ path, cacheDirectory, threads: options.threads, precision, ...sizes });
      models.push(model);
      if (model.precision !== precision) throw new Error(`asked for ${precision}, got ${model.precision}`);
    }
    return await measure(machine, models);
  } finally {
    for (const { executor, encoder } of models) {
      await executor.close();
      await encoder.close();
    }
  }
}

async function measure(machine: QualityResults['machine'], models: readonly LoadedModel[]): Promise<QualityResults> {
  const [reference] = models;
  if (!reference) throw new Error('nothing was loaded');
  const { config, tokenizer, hash } = reference;
  const { text, sha256 } = readText();
  const firstToken = firstTokenOf(tokenizer, config.bosTokenId, options['first-token']);
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const windows = windowsOf(ids, firstToken, options['window-tokens']).slice(0, options.windows);
  const source = await openSource(reference);
  const { dictionary, hookPoint, card } = source;
  const { dIn, features } = dictionary;
  const began = performance.now();
  const named = models.map(({ precision, executor }): PrecisionModel => ({ precision, executor }));
  const quality = await measureQuality({
    reference: named[0] as PrecisionModel,
    models: named.filter(({ precision }) => options.precisions.some((asked) => asked === precision)),
    windows,
    source: {
      dIn,
      features,
      encode: fastEncoder(dictionary),
      hookPoint,
      sinkNorm: card?.sink_norm ?? Number.POSITIVE_INFINITY,
    },
    vocabularySize: config.vocabularySize,
    oneByOne: options['one-by-one'],
    onProgress: progress,
  });
  console.error(`${((performance.now() - began) / 1000).toFixed(0)} s`);
  return {
    machine,
    settings: {
      model: options.model,
      weights: hash,
      text: textName,
      textSha256: sha256,
      windows: windows.length,
      windowTokens: options['window-tokens'],
      firstToken: tokenizer.tokenText(firstToken),
      threads: options.threads,
    },
    source: { id: source.id, hookPoint, features, positions: quality.featurePositions },
    precisions: [...quality.precisions],
  };
}

/** A bundled source of the model, at seventeen of its thirty blocks. */
async function openSource({ config, hash }: LoadedModel): Promise<Registry['sources'][number]> {
  const model = { id: options.model, hash, blocks: config.blocks, dModel: config.dModel };
  const registry = await openRegistry({ model, sources: [`${options.model}/17-res-4k`] });
  const [source] = registry.sources;
  if (!source) throw new Error(`no source for ${options.model} is bundled`);
  return source;
}

const results = await run();
console.log(`Written to ${writeResults('quality', results)}`);
process.exitCode = reportGates(checkQuality(results), options.check);
