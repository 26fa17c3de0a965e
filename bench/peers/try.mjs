/**
 * llama.cpp through node-llama-cpp as a worker of bench/decode.ts; the protocol is that of bench/workers/protocol.ts.
 *
 * `decode` with path `service` is the public API: evaluate() with greedy sampling. With path `model` it is llama_decode alone, without
 * sampling and without node-llama-cpp's queue, on an internal handle of that exact version: the most favourable figure for the peer.
 */
import { readFileSync } from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const { version } = JSON.parse(
  readFileSync(new URL('node_modules/node-llama-cpp/package.json', import.meta.url), 'utf8'),
);

let model;
let threads;
/** Contexts by their number of sequences; each sequence with the tokens it holds. */
const contexts = new Map();

async function load(request) {
  threads = request.threads;
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
    progressLogs: false,
  });
  model = await llama.loadModel({ modelPath: request.path });
  await open(1, request.context);
  return { package: version, release: String(llama.llamaCppRelease.release) };
}

/** A context with `rows` sequences. One row has a context of its own: it must not pay for the others' room. */
async function open(rows, contextSize) {
  let entry = contexts.get(rows);
  if (!entry) {
    const context = await model.createContext({ sequences: rows, contextSize, batchSize: 512,  threads });
    entry = { context, sequences: Array.from({ length: rows }, () => context.getSequence()), prompt: '' };
    contexts.set(rows, entry);
  }
  return entry;
}

/** All but the prompt's last token in every sequence, and nothing after it. */
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
  for (const sequence of entry.sequences) {
    await sequence.clearHistory();
    await sequence.evaluateWithoutGeneratingNewTokens(held);
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

async function decode({ path, prompt, rows, steps }) {
  const entry = await open(rows, prompt.length + steps + 64);
  await hold(entry, prompt);
  const last = prompt.slice(-1);
  if (path === 'model') return decodeBare(entry, prompt.length - 1, last[0], steps);
  return timed(rows * steps, () =>
    Promise.all(entry.sequences.map((sequence) => continueGreedily(sequence, last, steps))),
  );
}

async function decodeBare({ context, sequences }, start, token, steps) {
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

async function prefill({ prompt }) {
  const entry = await open(1);
  entry.prompt = '';
  await entry.sequences[0].clearHistory();
  return timed(prompt.length, () => continueGreedily(entry.sequences[0], prompt, 1));
}

async function greedy({ prompt, tokens }) {
  const entry = await open(1);
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

const operations = { load, decode, prefill, greedy };

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
