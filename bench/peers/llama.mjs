/**
 * llama.cpp through node-llama-cpp as a worker of bench/engine; the protocol is that of bench/workers/protocol.ts, and every request names the
 * settings to run with (threads, flash attention, batch size).
 *
 * Level `service` is the public API: evaluate() with greedy sampling. Level `model` is llama_decode alone, without sampling and without
 * node-llama-cpp's queue, on an internal handle of that exact version: the most favourable figure for the peer.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const { version } = JSON.parse(
  readFileSync(new URL('../node_modules/node-llama-cpp/package.json', import.meta.url), 'utf8'),
);

let model;
let longest;
/** Contexts by number of sequences and settings; each sequence with the tokens it holds. */
const contexts = new Map();

async function load(request) {
  longest = request.context;
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: 0,
    logLevel: LlamaLogLevel.error,
    progressLogs: false,
  });
  model = await llama.loadModel({ modelPath: request.model });
  return { package: version, release: String(llama.llamaCppRelease.release) };
}

/** A context with `rows` sequences. One row has a context of its own: it must not pay for the others' room. */
async function open(rows, { threads, flashAttention, batchSize }, contextSize) {
  const key = `${rows} ${threads} ${flashAttention} ${batchSize}`;
  let entry = contexts.get(key);
  if (!entry) {
    const context = await model.createContext({ sequences: rows, contextSize, batchSize, threads, flashAttention });
    const sequences = Array.from({ length: rows }, () => context.getSequence());
    entry = { context, sequences, threads, batchSize, prompt: '' };
    contexts.set(key, entry);
  }
  return entry;
}

/** Frees every context; the next request opens what it needs. */
async function release() {
  for (const { context } of contexts.values()) await context.dispose();
  contexts.clear();
  return null;
}

/** All but the prompt's last token in every sequence, and nothing after it. The first one reads it, the others take it over from a file. */
async function hold(entry, prompt) {
  const held = prompt.slice(0, -1);
  const key = prompt.join();
  if (entry.prompt === key) {
    for (const sequence of entry.sequences) {
      if (sequence.nextTokenIndex > held.length)
        await sequence.eraseContextTokenRanges([{ start: held.length, end: sequence.nextTokenIndex }]);
    }
    return;
  }
  const [first, ...others] = entry.sequences;
  await first.clearHistory();
  await first.evaluateWithoutGeneratingNewTokens(held);
  if (others.length > 0) {
    const folder = await mkdtemp(join(tmpdir(), 'tiller-bench-'));
    try {
      const file = join(folder, 'sequence');
      await first.saveStateToFile(file);
      for (const sequence of others) await sequence.loadStateFromFile(file, { acceptRisk: true });
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  entry.prompt = key;
}

const greedyOptions = { temperature: 0, yieldEogToken: true };

async function continueGreedily(sequence, tokens, count) {
  const generated = [];
  for await (const token of sequence.evaluate(tokens, greedyOptions)) {
    generated.push(token);
    if (generated.length === count) break;
  }
  if (generated.length !== count) throw new Error(`llama.cpp stopped after ${generated.length} of ${count} tokens`);
  return generated;
}

async function decode({ level, prompt, rows, steps, settings }) {
  const entry = await open(rows, settings, prompt.length + 96);
  await hold(entry, prompt);
  const last = prompt.slice(-1);
  if (level === 'model') return decodeBare(entry, prompt.length - 1, last[0], steps);
  return timed(rows * steps, () =>
    Promise.all(entry.sequences.map((sequence) => continueGreedily(sequence, last, steps))),
  );
}

async function decodeBare({ context, sequences, threads }, start, token, steps) {
  const handle = context._ctx;
  const ids = sequences.map((sequence) => sequence._sequenceId);
  handle.setThreads(threads);
  const result = await timed(ids.length * steps, async () => {
    for (let step = 0; step < steps; step++) {
      handle.initBatch(ids.length);
      for (const id of ids) handle.addToBatch(id, start + step, Uint32Array.of(token), Uint32Array.of(0));
      await handle.decodeBatch();
    }
  });
  for (const id of ids) handle.removeTokenCellsFromSequence(id, start, -1);
  return result;
}

async function prefill({ level, prompt, settings }) {
  const entry = await open(1, settings, longest);
  entry.prompt = '';
  await entry.sequences[0].clearHistory();
  if (level === 'model') return prefillBare(entry, prompt);
  return timed(prompt.length, () => continueGreedily(entry.sequences[0], prompt, 1));
}

/** Batches of tokens, with logits for the last one only. */
async function prefillBare({ context, sequences, threads, batchSize }, prompt) {
  const handle = context._ctx;
  const id = sequences[0]._sequenceId;
  handle.setThreads(threads);
  const result = await timed(prompt.length, async () => {
    for (let start = 0; start < prompt.length; start += batchSize) {
      const tokens = Uint32Array.from(prompt.slice(start, start + batchSize));
      const last = start + tokens.length === prompt.length;
      handle.initBatch(tokens.length);
      handle.addToBatch(id, start, tokens, last ? Uint32Array.of(tokens.length - 1) : new Uint32Array(0));
      await handle.decodeBatch();
    }
  });
  handle.removeTokenCellsFromSequence(id, 0, -1);
  return result;
}

async function greedy({ prompt, tokens, settings }) {
  const entry = await open(1, settings, longest);
  entry.prompt = '';
  await entry.sequences[0].clearHistory();
  const generated = await continueGreedily(entry.sequences[0], prompt, tokens);
  return { tokens: generated, text: model.detokenize(generated, true) };
}

async function timed(tokens, work) {
  const began = performance.now();
  await work();
  return { seconds: (performance.now() - began) / 1000, tokens };
}

const operations = { load, release, decode, prefill, greedy };

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

process.on('message', (request) => {
  const before = cpuSeconds();
  operations[request.op](request).then(
    (value) => process.send({ ok: true, value, cpu: [before, cpuSeconds()] }),
    (error) => process.send({ ok: false, error: error.stack ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
