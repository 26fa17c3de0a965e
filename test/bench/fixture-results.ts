import type { DemoResults } from '../../bench/demo/results.ts';
import type { EnduranceResults } from '../../bench/endurance/results.ts';
import type { EngineResults } from '../../bench/engine/results.ts';
import type { LoadsResults } from '../../bench/loads/results.ts';
import { followers, type PrefixResults } from '../../bench/prefix/results.ts';
import type { Machine } from '../../bench/results-common.ts';
import type { ServiceResults } from '../../bench/service/results.ts';
import type { StartupResults } from '../../bench/startup/results.ts';
import type { StarvationResults } from '../../bench/starvation/results.ts';
import type { SteeringCase } from '../../bench/steering/cases.ts';
import type { SteeringResults } from '../../bench/steering/results.ts';

export const machineFixture: Machine = {
  cpu: 'A processor',
  cores: 2,
  memoryBytes: 8e9,
  platform: 'linux-x64',
  node: 'v20.0.0',
  onnxruntime: '1.30.0',
  llamaCpp: { package: '3.22.1', release: 'b1' },
  date: '2026-01-02T03:04:05.000Z',
  commit: 'abcdef123456',
  loadAverage: 0,
};
const quiet = { otherLoad: [0, 0, 2], disturbedRounds: 1 };

/** Tokens per second of each engine in the last of three rounds, in which the machine got slower: 4, 2 and 1 times these. */
const speeds: Readonly<Record<string, number>> = {
  'tiller-f32': 12.5,
  'tiller-int8': 20,
  'tiller-blocks': 21,
  'llama.cpp-bf16': 5,
  'llama.cpp-q8_0': 8,
  'llama.cpp-q4_0': 10,
  'llama.cpp-q4_1': 9,
};
const rounds = (speed: number) => [4 * speed, 2 * speed, speed];
const levels = ['service', 'model'] as const;
const engines = Object.entries(speeds);
const peer = { threads: 2, flashAttention: true, batchSize: 256 };

export const engineFixture: EngineResults = {
  machine: machineFixture,
  settings: { model: 'tiny', threads: 2, rounds: 3, promptTokens: 8, steps: 4, batchSteps: 2 },
  peerSettings: [
    { engine: 'llama.cpp-bf16', workload: 'one row', best: peer, tried: [{ ...peer, tokensPerSecond: 40 }] },
  ],
  decode: [1, 32].flatMap((rows) =>
    levels.flatMap((level) =>
      engines.map(([engine, speed]) => {
        // a batch makes Tiller twice as much faster than its peers
        const tokensPerSecond = rounds(rows === 32 && engine.startsWith('tiller') ? 2 * speed : speed);
        return { engine, level, rows, tokensPerSecond };
      }),
    ),
  ),
  prefill: [128, 512].flatMap((tokens) =>
    levels.flatMap((level) =>
      engines.map(([engine, speed]) => ({ engine, level, tokens, tokensPerSecond: rounds(20 * speed) })),
    ),
  ),
  guard: {
    prompt: 'Why?',
    continuations: [
      { engine: 'tiller-f32', tokens: [1, 2, 3, 4], text: 'Because.', agreeing: 4 },
      { engine: 'llama.cpp-bf16', tokens: [1, 2, 3, 5], text: 'Because!', agreeing: 3 },
    ],
  },
  idle: [{ process: 'tiller-f32', cpuShare: 0 }],
  ...quiet,
};

const steering = (rest: Partial<SteeringCase>, kept: number): SteeringResults['cases'][number] => ({
  precision: 'f32',
  level: 'model',
  steering: { placement: 'one', kind: 'set', distinct: 32, edits: 1, steeredRows: 32, ...rest },
  unsteered: [400, 200, 100],
  steered: [400 * kept, 200 * kept, 100 * kept],
  identical: true,
});

export const steeringFixture: SteeringResults = {
  machine: machineFixture,
  settings: { model: 'tiny', threads: 2, rounds: 3, rows: 32, promptTokens: 8, steps: 4, blocks: 2 },
  cases: [
    steering({ distinct: 1 }, 0.995),
    steering({}, 0.98),
    steering({ kind: 'add' }, 0.99),
    { ...steering({}, 0.975), level: 'service' },
    steering({ placement: 'own' }, 0.97),
    steering({ placement: 'all', edits: 8, distinct: 1 }, 0.9),
    steering({ placement: 'all', edits: 8 }, 0.85),
    steering({ distinct: 1, steeredRows: 1 }, 0.5),
  ],
  unused: [{ precision: 'f32', never: [400, 200, 100], loaded: [400, 200, 100], sameLogits: true }],
  ...quiet,
};

const spread = { mean: 10, std: 1, median: 9, p90: 20, p99: 30 };

export const serviceFixture: ServiceResults = {
  machine: machineFixture,
  settings: { model: 'tiny', precision: 'f32', threads: 2, rows: 32 },
  openLoop: {
    num_prompts: 4,
    burstiness: 1,
    seed: 0,
    random_input_len: 8,
    random_output_len: 8,
    random_range_ratio: 0.5,
    goodput: { ttft: 100, tpot: 10 },
    steeredShare: 0.5,
    distinctSteerings: 8,
    runs: [
      {
        request_rate: 2,
        steered: true,
        figures: {
          duration: 2,
          completed: 4,
          failed: 0,
          total_input_tokens: 32,
          total_output_tokens: 32,
          request_throughput: 2,
          request_goodput: 1.5,
          output_throughput: 16,
          total_token_throughput: 32,
          max_concurrent_requests: 3,
          ttft_ms: spread,
          tpot_ms: spread,
          itl_ms: spread,
          e2el_ms: spread,
        },
        failures: [],
      },
    ],
  },
  closedBatch: {
    streams: 32,
    promptTokens: 8,
    maxTokens: 8,
    rounds: 3,
    http: [380, 190, 95],
    engine: [400, 200, 100],
    eventLoopDelayP99: [0.004, 0.008, 0.02],
  },
  plainRoutes: {
    connections: 10,
    seconds: 1,
    routes: [
      {
        route: 'GET /healthz',
        status: 200,
        requestsPerSecond: 5000,
        latency_ms: { mean: 1, p50: 1, p90: 2, p99: 3, max: 9 },
      },
    ],
  },
  ...quiet,
};

const shared: Readonly<Record<(typeof followers)[number], number>> = {
  'unsteered after unsteered': 992,
  'steered while generating only, after unsteered': 992,
  'steered from the middle on, after unsteered': 496,
  'steered by A, after unsteered': 0,
  'steered by A, after A': 992,
  'steered by B, after A': 0,
  'unsteered after A': 992,
};

export const prefixFixture: PrefixResults = {
  machine: machineFixture,
  settings: { model: 'tiny', precision: 'f32', threads: 2, rounds: 3, prefixTokens: 1000, tailTokens: 16 },
  cold: [1000, 2000, 3000],
  cached: followers.map((follower) => {
    const tokens = shared[follower];
    return {
      follower,
      ttft: [1000, 2000, 3000].map((ms) => ms / (1 + tokens)),
      cachedTokens: [tokens, tokens, tokens],
    };
  }),
  ...quiet,
};

export const starvationFixture: StarvationResults = {
  machine: machineFixture,
  settings: { model: 'tiny', precision: 'f32', threads: 2, rounds: 3, streams: 16, promptTokens: 4000 },
  without: { median: [10, 20, 40], p99: [12, 24, 48] },
  during: { median: [18, 36, 72], p99: [25, 50, 100] },
  promptTtft: [8000, 9000, 10_000],
  promptTtftAlone: [4000, 4500, 5000],
  ...quiet,
};

export const enduranceFixture: EnduranceResults = {
  machine: machineFixture,
  settings: {
    model: 'tiny',
    precision: 'f32',
    threads: 2,
    variantRows: 8,
    buildRows: 16,
    longTokens: 4000,
    freshTokens: 3750,
  },
  variants: { resident: [800e6, 900e6, 1000e6], built: 3 },
  builds: { quiet: [10, 10, 11], building: [12, 25], built: 1 },
  long: {
    windows: [
      { tokens: 250, medianMilliseconds: 10, resident: 900e6 },
      { tokens: 4000, medianMilliseconds: 15, resident: 1000e6 },
    ],
    freshMilliseconds: 14,
    longMilliseconds: 14.7,
    keyValueBytesPerToken: 20_000,
  },
  ...quiet,
};

const memory = (resident: number, keyValue: number) => ({
  resident,
  peak: resident * 1.1,
  keyValue,
  parts: { mappedWeights: 105e6, nodeHeap: 20e6, programFiles: 10e6, rest: 5e6 },
});

export const startupFixture: StartupResults = {
  machine: { ...machineFixture, llamaCpp: null },
  settings: { model: 'tiny', runs: 3, requests: 16, maxTokens: 4 },
  afterReady: { listening: [0.4, 0.5, 0.6], ready: [1, 2, 3], firstToken: [2, 2.5, 9] },
  asSoonAsListening: { firstToken: [2, 3, 4] },
  float32WeightBytes: 100e6,
  keyValueBytesPerToken: 1000,
  memory: { loaded: [memory(140e6, 0)], busy: [memory(200e6, 40e6)] },
};

export const demoFixture: DemoResults = {
  model: 'tiny',
  source: 'tiny/0-res',
  settings: { maxTokens: 4, repetitionPenalty: 1 },
  prompts: [
    {
      prompt: 'Hello',
      unsteered: 'Hi | there',
      steered: [{ index: 7, label: 'pirates', strength: 2, text: 'Ahoy\nthere' }],
    },
  ],
};

export const loadsFixture: LoadsResults = {
  machine: machineFixture,
  settings: { rounds: 3, threads: 2 },
  loads: [
    { title: 'a model', precision: 'f32', limit: 3, seconds: [1, 2.5, 4] },
    { title: 'a tiny model', precision: 'int8', limit: 1, seconds: [0.5, 0.4, 2] },
  ],
  ...quiet,
};

export const fixtures = {
  engine: engineFixture,
  steering: steeringFixture,
  service: serviceFixture,
  prefix: prefixFixture,
  starvation: starvationFixture,
  endurance: enduranceFixture,
  startup: startupFixture,
  loads: loadsFixture,
  demo: demoFixture,
};
