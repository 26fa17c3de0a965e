import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { resultsDirectory } from './checkout.ts';
import { demoResults } from './demo-results.ts';

const machine = z.object({
  cpu: z.string(),
  /** Hardware threads that the process may use. */
  cores: z.number(),
  memoryBytes: z.number(),
  platform: z.string(),
  node: z.string(),
  onnxruntime: z.string(),
  llamaCpp: z.object({ package: z.string(), release: z.string() }).nullable(),
  date: z.string(),
  commit: z.string(),
  /** Of the minute before the run: near zero on a quiet machine. */
  loadAverage: z.number(),
});
export type Machine = z.infer<typeof machine>;

/** One value a round; equal places of two lists were measured in the same round. */
const samples = z.array(z.number().positive()).min(1);

export const decodeResults = z.object({
  machine,
  settings: z.object({
    model: z.string(),
    threads: z.number(),
    rounds: z.number(),
    promptTokens: z.number(),
    /** Tokens that each row generates in a round: one row, and several. */
    steps: z.number(),
    batchSteps: z.number(),
  }),
  decode: z.array(z.object({ variant: z.string(), rows: z.number(), tokensPerSecond: samples })),
  prefill: z.array(z.object({ variant: z.string(), tokens: z.number(), tokensPerSecond: samples })),
  steering: z.array(z.object({ rows: z.number(), edits: z.number(), tokensPerSecond: samples })),
  guard: z.object({
    prompt: z.string(),
    continuations: z.array(
      z.object({
        variant: z.string(),
        tokens: z.array(z.number()),
        text: z.string(),
        /** Leading tokens that are the same as Tiller's. */
        agreeing: z.number(),
      }),
    ),
  }),
  /** Processor time that each process took while it was another's turn, in shares of one core: 0 = it did not spin. */
  idle: z.array(z.object({ process: z.string(), cpuShare: z.number() })),
  /** Cores that processes of others kept busy, one value a round. */
  otherLoad: z.array(z.number()),
  /** Rounds that others disturbed; they were measured again and are not in the figures. */
  disturbedRounds: z.number(),
});
export type DecodeResults = z.infer<typeof decodeResults>;

/** Bytes. The parts are null where the platform does not tell them apart. */
const memory = z.object({
  resident: z.number(),
  /** The most since the process began; null where the platform does not tell. */
  peak: z.number().nullable(),
  /** Of keys and values; measured where there are parts, else computed from the tokens held. */
  keyValue: z.number(),
  parts: z
    .object({
      /** Computed: every matrix once, as float32. */
      packedWeights: z.number(),
      /** Resident pages of the mapped weights file: the rows of the embedding that were read. */
      mappedWeights: z.number(),
      /** Node's own heap, from /metrics. */
      nodeHeap: z.number(),
      /** Resident pages of programs and libraries. */
      programFiles: z.number(),
      /** What is left: the graph runtime's buffers, dictionaries, buffers outside Node's heap, stacks. */
      rest: z.number(),
    })
    .nullable(),
});
export type Memory = z.infer<typeof memory>;

export const startupResults = z.object({
  machine,
  settings: z.object({ model: z.string(), runs: z.number(), requests: z.number(), maxTokens: z.number() }),
  /** Seconds from spawning the process. */
  afterReady: z.object({ listening: samples, ready: samples, firstToken: samples }),
  /** The same when the request is sent as soon as the port listens, and again while the answer is 503. */
  asSoonAsListening: z.object({ firstToken: samples }),
  float32WeightBytes: z.number(),
  keyValueBytesPerToken: z.number(),
  /** One entry a run: once ready, and the largest seen while `requests` replies were generated together. */
  memory: z.object({ loaded: z.array(memory).min(1), busy: z.array(memory).min(1) }),
});
export type StartupResults = z.infer<typeof startupResults>;

const schemas = { decode: decodeResults, startup: startupResults, demo: demoResults } as const;
export type ResultName = keyof typeof schemas;
export type Results = { readonly [Name in ResultName]: z.infer<(typeof schemas)[Name]> };

const fileOf = (name: ResultName) => join(resultsDirectory, `${name}.json`);

export function writeResults<Name extends ResultName>(name: Name, results: Results[Name]): string {
  mkdirSync(resultsDirectory, { recursive: true });
  writeFileSync(fileOf(name), `${formatJson(schemas[name].parse(results))}\n`);
  return fileOf(name);
}

/** All committed results. Throws, naming the command to run, where one is missing or not what this version writes. */
export function readResults(): Results {
  const read = <T>(name: ResultName, schema: z.ZodType<T>): T => {
    try {
      return schema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')));
    } catch (error) {
      throw new Error(`bench/results/${name}.json cannot be used; run npm run bench:${name}`, { cause: error });
    }
  };
  return {
    decode: read('decode', decodeResults),
    startup: read('startup', startupResults),
    demo: read('demo', demoResults),
  };
}

/** Indented JSON with six digits of what is not whole, and lists of numbers on one line each. */
function formatJson(value: unknown): string {
  const rounded = (_key: string, entry: unknown) =>
    typeof entry === 'number' && !Number.isInteger(entry) ? Number(entry.toPrecision(6)) : entry;
  const text = JSON.stringify(value, rounded, 2);
  return text.replace(/\[\s+([-\d.,\se+]+?)\s+\]/g, (_all, list: string) => `[${list.split(/,\s+/).join(', ')}]`);
}
