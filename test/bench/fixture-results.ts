import type { DemoResults } from '../../bench/demo-results.ts';
import type { DecodeResults, Machine, Memory, StartupResults } from '../../bench/results.ts';

const machine: Machine = {
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

/** Three rounds in which the machine got slower, Tiller being 1.25 times as fast as its peer all the while. */
export const decodeFixture: DecodeResults = {
  machine,
  settings: { model: 'tiny', threads: 2, rounds: 3, promptTokens: 8, steps: 4, batchSteps: 2 },
  decode: [
    { variant: 'tiller-f32', rows: 1, tokensPerSecond: [50, 25, 12.5] },
    { variant: 'llama.cpp-bf16', rows: 1, tokensPerSecond: [40, 20, 10] },
    { variant: 'tiller-f32/model', rows: 1, tokensPerSecond: [60, 30, 15] },
    { variant: 'llama.cpp-bf16/model', rows: 1, tokensPerSecond: [40, 20, 10] },
  ],
  prefill: [
    { variant: 'tiller-f32', tokens: 128, tokensPerSecond: [900, 1000, 1100] },
    { variant: 'llama.cpp-bf16', tokens: 128, tokensPerSecond: [450, 500, 550] },
  ],
  steering: [
    { rows: 1, edits: 0, tokensPerSecond: [50, 40, 50] },
    { rows: 1, edits: 8, tokensPerSecond: [45, 36, 45] },
  ],
  guard: {
    prompt: 'Why?',
    continuations: [
      { variant: 'tiller-f32', tokens: [1, 2, 3, 4], text: 'Because.', agreeing: 4 },
      { variant: 'llama.cpp-bf16', tokens: [1, 2, 3, 5], text: 'Because!', agreeing: 3 },
    ],
  },
  idle: [{ process: 'tiller-f32', cpuShare: 0 }],
  otherLoad: [0, 0, 2],
  disturbedRounds: 1,
};

const memory = (resident: number, keyValue: number): Memory => ({
  resident,
  peak: resident * 1.1,
  keyValue,
  parts: { packedWeights: 100e6, mappedWeights: 5e6, nodeHeap: 20e6, programFiles: 10e6, rest: 5e6 },
});

export const startupFixture: StartupResults = {
  machine: { ...machine, llamaCpp: null },
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
