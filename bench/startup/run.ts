/** npm run bench:startup. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { elementCount } from '../../engine/checkpoint/tensor.ts';
import { cacheDirectory, checkout } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions } from '../options.ts';
import { readMemory } from '../process-memory.ts';
import { writeResults } from '../results.ts';
import { ServiceProcess } from '../service-process.ts';
import { readChatStream } from './chat-stream.ts';
import { checkStartup } from './gates.ts';
import type { Memory, StartupResults } from './results.ts';

const sampleMilliseconds = 100;

const options = readOptions('bench:startup', 'Time from start to first token with a warm cache, and resident memory', {
  runs: [count, '5', 'starts of each kind'],
  requests: [count, '16', 'replies generated together, for memory'],
  'max-tokens': [count, '64', 'tokens of each of them'],
  model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint'],
});

/** What the memory of a model is compared with. Bytes. */
interface ModelBytes {
  readonly weights: number;
  readonly keyValuePerToken: number;
}

const results = await run();
console.log(`Written to ${writeResults('startup', results)}`);
process.exitCode = reportGates(checkStartup(results), options.check);

async function run(): Promise<StartupResults> {
  const machine = describeMachine(null);
  const bytes = await modelBytes();
  const afterReady = { listening: [] as number[], ready: [] as number[], firstToken: [] as number[] };
  const asSoonAsListening = { firstToken: [] as number[] };
  const memory = { loaded: [] as Memory[], busy: [] as Memory[] };
  console.error('Starting once to fill the caches');
  await withService((service) => service.waitForReady());
  for (let round = 1; round <= options.runs; round++) {
    await withService(async (service) => {
      await service.poll(
        () => service.get('/healthz'),
        () => true,
      );
      afterReady.listening.push(service.elapsed());
      await service.waitForReady();
      afterReady.ready.push(service.elapsed());
      const loaded = readMemory(service.pid);
      afterReady.firstToken.push(await firstToken(service, () => service.post(...chat('Hello!', 1))));
      memory.loaded.push(await explain(service, loaded, 0, bytes));
      memory.busy.push(await busyMemory(service, bytes));
    });
    await withService(async (service) => {
      asSoonAsListening.firstToken.push(await firstToken(service, () => service.post(...chat('Hello!', 1))));
    });
    const seconds = [afterReady.ready, afterReady.firstToken, asSoonAsListening.firstToken].map((list) =>
      list.at(-1)?.toFixed(2),
    );
    console.error(
      `Run ${round} of ${options.runs}: ready ${seconds[0]} s, first token ${seconds[1]} s, asked at once ${seconds[2]} s`,
    );
  }
  return {
    machine,
    settings: {
      model: basename(options.model),
      runs: options.runs,
      requests: options.requests,
      maxTokens: options['max-tokens'],
    },
    afterReady,
    asSoonAsListening,
    float32WeightBytes: bytes.weights,
    keyValueBytesPerToken: bytes.keyValuePerToken,
    memory,
  };
}

async function withService(use: (service: ServiceProcess) => Promise<unknown>): Promise<void> {
  const service = await ServiceProcess.start(options.model);
  try {
    await use(service);
  } finally {
    await service.stop();
  }
}

function chat(content: string, maxTokens: number): [path: string, body: object] {
  const body = {
    model: options.model,
    messages: [{ role: 'user', content }],
    max_tokens: maxTokens,
    ignore_eos: true,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  };
  return ['/v1/chat/completions', body];
}

/** Asks until the service takes the request, reads the reply, and gives the seconds from start to its first text. */
async function firstToken(service: ServiceProcess, ask: () => Promise<Response>): Promise<number> {
  let seconds = 0;
  const response = await service.poll(ask, ({ status }) => status !== 503);
  await readChatStream(response, () => {
    seconds = service.elapsed();
  });
  return seconds;
}

/** The largest resident memory seen while all replies are generated together, each about another page of text. */
async function busyMemory(service: ServiceProcess, bytes: ModelBytes): Promise<Memory> {
  const words = (await readFile(join(checkout, 'LICENSE'), 'utf8')).split(/\s+/).filter(Boolean);
  let running = true;
  let largest = readMemory(service.pid);
  const sampling = (async () => {
    while (running) {
      const now = readMemory(service.pid);
      if (now.resident > largest.resident) largest = now;
      await delay(sampleMilliseconds);
    }
  })();
  const replies = await Promise.all(
    Array.from({ length: options.requests }, async (_, i) => {
      const text = words.slice(i * 80, (i + 1) * 80).join(' ');
      const response = await service.post(...chat(`Summarise this: ${text}`, options['max-tokens']));
      return readChatStream(response, () => {});
    }),
  );
  running = false;
  await sampling;
  const tokens = replies.reduce((sum, { totalTokens }) => sum + (totalTokens ?? 0), 0);
  return explain(service, largest, tokens, bytes);
}

/** Names what resident memory is made of. Node's heap is asked for afterwards: it changes slowly. */
async function explain(
  service: ServiceProcess,
  { resident, peak, kinds }: ReturnType<typeof readMemory>,
  tokens: number,
  bytes: ModelBytes,
): Promise<Memory> {
  if (!kinds) return { resident, peak, keyValue: tokens * bytes.keyValuePerToken, parts: null };
  const metrics = await (await service.get('/metrics')).text();
  const nodeHeap = Number(/^\w*nodejs_heap_size_total_bytes\S* (\S+)$/m.exec(metrics)?.[1] ?? 0);
  const rest = kinds.anonymous - nodeHeap;
  const parts = { mappedWeights: kinds.weights, nodeHeap, programFiles: kinds.files, rest };
  return { resident, peak, keyValue: kinds.reserved, parts };
}

async function modelBytes(): Promise<ModelBytes> {
  const { path } = await acquireModel(options.model, { cacheDirectory });
  const checkpoint = await openCheckpoint(path);
  const sizes = [...checkpoint.tensors.values()].map(({ shape }) => ({ shape, bytes: 4 * elementCount(shape) }));
  const sum = (list: typeof sizes) => list.reduce((total, entry) => total + entry.bytes, 0);
  const { blocks, keyValueHeads, headDim } = checkpoint.config;
  await checkpoint.close();
  return {
    weights: sum(sizes),
    keyValuePerToken: blocks * 2 * keyValueHeads * headDim * 4,
  };
}
