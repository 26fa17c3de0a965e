import { resolve } from 'node:path';
import { z } from 'zod';
import { defaultModelName } from '../engine/checkpoint/acquire/catalog.ts';
import { operatorChoices, precisionChoices } from '../engine/core/index.ts';
import { defaultUnembeddingBytes } from '../engine/kept-unembedding.ts';
import { defaultEncoderBytes } from '../engine/runtime/encoder-budget.ts';
import { defaultPrefillRatio } from '../engine/scheduler/policy.ts';
import { defaultCacheDirectory } from './cache-directory.ts';
import { defaultDataDirectory } from './data-directory.ts';
import { defaultThreads } from './processor.ts';
import { setting, textSetting } from './setting.ts';

/** A whole number written in decimal digits. */
export function wholeNumber(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .pipe(z.number().min(least, message).max(most, message));
}

const text = z.string().min(1, 'must not be empty');

/** A switch: given as a flag it is true; a variable says 1, true, yes, on or 0, false, no, off. */
export const switchValue = z.union(
  [
    z.boolean(),
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(['1', 'true', 'yes', 'on', '0', 'false', 'no', 'off']))
      .transform((word) => ['1', 'true', 'yes', 'on'].includes(word)),
  ],
  { error: 'must be 1 or 0 (true, false, yes, no, on, off)' },
);

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** A number of bytes, plain or with a unit: 4GB (powers of 1,000), 512MiB (powers of 1,024). */
export const byteSize = z
  .string()
  .regex(/^\d{1,15}(\.\d{1,6})?\s*([kmg]i?b)?$/i, 'must be a number of bytes, like 4GB, 512MiB or 4000000000')
  .transform((size) => {
    const [, digits = '', unit = ''] = /^([\d.]+)\s*(\D*)$/.exec(size) ?? [];
    return Math.floor(Number(digits) * (unitBytes[unit.toLowerCase()] ?? 1));
  });

/** A ratio written in decimal digits. */
function ratio(least: number, most: number) {
  const message = `must be a number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,6}(\.\d{1,6})?$/, message)
    .transform(Number)
    .pipe(z.number().min(least, message).max(most, message));
}

const warmUps = ['none', 'common'] as const;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const megabyte = 1024 * 1024;

/** Everything that `tiller serve` can be told. The other commands use what concerns them. */
export const serveSettings = {
  model: setting(
    '--model <name|path>',
    'TILLER_MODEL',
    'a model of the catalog, a file or folder, or owner/name[@revision][:gguf] of the Hugging Face Hub; repeat to serve several (the variable: commas)',
    z.union([text.transform((one) => [one]), z.array(text).min(1, 'must not be empty')]),
    () => [defaultModelName],
    { repeatable: true, defaultText: defaultModelName },
  ),
  memoryBudgetBytes: setting(
    '--memory-budget-bytes <size>',
    'TILLER_MEMORY_BUDGET_BYTES',
    'what all loaded models may take together, keys and values included; idle ones are unloaded for others',
    byteSize.nullable(),
    null,
    { defaultText: 'with several models, four fifths of the memory' },
  ),
  source: setting(
    '--source <path>',
    'TILLER_SOURCE',
    'an SAE or transcoder: its folder or its file (docs/saes.md); repeat for several (the variable: commas)',
    z.array(text),
    () => [],
    {
      repeatable: true,
      defaultText: 'the three bundled ones of the default model',
    },
  ),
  saeMemoryBytes: setting(
    '--sae-memory-bytes <size>',
    'TILLER_SAE_MEMORY_BYTES',
    "what a model's dictionaries may hold in memory; rows of the rest are read from their files",
    byteSize.nullable(),
    null,
    { defaultText: 'every matrix of up to 256MiB' },
  ),
  encoderMemoryBytes: setting(
    '--encoder-memory-bytes <size>',
    'TILLER_ENCODER_MEMORY_BYTES',
    'what the encoders of a model may hold in memory while features are read; the least recently used one makes room',
    byteSize,
    defaultEncoderBytes,
    { defaultText: '1GiB' },
  ),
  unembeddingMemoryBytes: setting(
    '--unembedding-memory-bytes <size>',
    'TILLER_UNEMBEDDING_MEMORY_BYTES',
    "up to this size a model's unembedding stays in memory once the logits of a feature were asked for; 0 reads it each time",
    byteSize,
    defaultUnembeddingBytes,
    { defaultText: '256MiB' },
  ),
  profile: textSetting(
    '--profile <name[:version]>',
    'TILLER_PROFILE',
    'saved steering of the first model that holds where a request names none',
  ),
  host: setting('--host <address>', 'TILLER_HOST', 'address to listen on', text, '127.0.0.1'),
  port: setting('--port <n>', 'TILLER_PORT', 'port to listen on; 0 takes a free one', wholeNumber(0, 65_535), 8080),
  threads: setting('--threads <n>', 'TILLER_THREADS', 'threads that compute', wholeNumber(1, 1024), defaultThreads, {
    defaultText: 'one a physical core',
  }),
  maxRows: setting(
    '--max-rows <n>',
    'TILLER_MAX_ROWS',
    'sequences computed together',
    wholeNumber(1, 256).nullable(),
    null,
    { defaultText: '32, fewer on a small machine' },
  ),
  context: setting(
    '--context <tokens>',
    'TILLER_CONTEXT',
    'longest sequence, prompt and reply together',
    wholeNumber(16, 1_048_576).nullable(),
    null,
    {
      defaultText: "the model's own limit",
    },
  ),
  keyValueBytes: setting(
    '--kv-cache-bytes <size>',
    'TILLER_KV_CACHE_BYTES',
    'memory for keys and values, taken as needed (4GB, 512MiB)',
    byteSize.nullable(),
    null,
    { defaultText: 'a quarter of the memory that the model leaves' },
  ),
  prefixCacheBytes: setting(
    '--prefix-cache-bytes <size>',
    'TILLER_PREFIX_CACHE_BYTES',
    'how much of it prompts of earlier requests may keep; 0 is off',
    byteSize.nullable(),
    null,
    { defaultText: 'half' },
  ),
  precision: setting(
    '--precision <name>',
    'TILLER_PRECISION',
    `number format of linear layers: ${precisionChoices.join(', ')}`,
    z.enum(precisionChoices, { error: `must be one of ${precisionChoices.join(', ')}` }),
    'f32',
  ),
  operators: setting(
    '--operators <whose>',
    'TILLER_OPERATORS',
    "auto: Tiller's own, compiled at the first start, where there is a C++ compiler; onnxruntime: never",
    z.enum(operatorChoices, { error: `must be one of ${operatorChoices.join(', ')}` }),
    'auto',
  ),
  warmUp: setting(
    '--warm-up <what>',
    'TILLER_WARM_UP',
    'common: prepare for any steering at the start; none: when it is first asked for',
    z.enum(warmUps, { error: `must be one of ${warmUps.join(', ')}` }),
    'common',
  ),
  prefillRatio: setting(
    '--prefill-ratio <x>',
    'TILLER_PREFILL_RATIO',
    'time for prompts beside running replies, as a multiple of a step of theirs',
    ratio(0.05, 100),
    defaultPrefillRatio,
  ),
  queueLimit: setting(
    '--queue-limit <n>',
    'TILLER_QUEUE_LIMIT',
    'requests that may wait; more get 429',
    wholeNumber(0, 100_000),
    128,
  ),
  queueSeconds: setting(
    '--queue-seconds <n>',
    'TILLER_QUEUE_SECONDS',
    'longest wait for a first step; then 503. 0 is no limit',
    wholeNumber(0, 86_400),
    120,
  ),
  maxBodyBytes: setting(
    '--max-body-bytes <n>',
    'TILLER_MAX_BODY_BYTES',
    'largest request body',
    wholeNumber(1024, 1024 * megabyte),
    8 * megabyte,
  ),
  maxEdits: setting(
    '--max-edits <n>',
    'TILLER_MAX_EDITS',
    'edits that one request may carry',
    wholeNumber(0, 4096),
    64,
  ),
  maxChoices: setting(
    '--max-choices <n>',
    'TILLER_MAX_CHOICES',
    'choices that one request may ask for',
    wholeNumber(1, 256),
    32,
  ),
  maxReplyTokens: setting(
    '--max-reply-tokens <n>',
    'TILLER_MAX_REPLY_TOKENS',
    'longest reply that a request may ask for',
    wholeNumber(1, 1_048_576).nullable(),
    null,
    { defaultText: 'what the context holds' },
  ),
  streamTimeoutSeconds: setting(
    '--stream-timeout-seconds <n>',
    'TILLER_STREAM_TIMEOUT_SECONDS',
    'a stream that nobody reads for so long is dropped',
    wholeNumber(1, 3600),
    120,
  ),
  drainSeconds: setting(
    '--drain-seconds <n>',
    'TILLER_DRAIN_SECONDS',
    'how long running replies may take to finish at the end',
    wholeNumber(0, 3600),
    30,
  ),
  cacheDir: setting(
    '--cache-dir <folder>',
    'TILLER_CACHE_DIR',
    'where models are kept',
    text.transform((path) => resolve(path)),
    (environment) => defaultCacheDirectory(environment),
    { defaultText: 'the cache folder of the operating system' },
  ),
  dataDir: setting(
    '--data-dir <folder>',
    'TILLER_DATA_DIR',
    'where labels, statistics, vectors and profiles are kept, in tiller.db',
    text.transform((path) => resolve(path)),
    (environment) => defaultDataDirectory(environment),
    { defaultText: 'the data folder of the operating system' },
  ),
  embedder: textSetting(
    '--embedder <folder>',
    'TILLER_EMBEDDER',
    "folder with the label embedder's model.onnx and tokenizer.json, else it is fetched; none: search by words alone",
    'fetched on first use',
  ),
  offline: setting('--offline', 'TILLER_OFFLINE', 'touch no network; use what is on disk', switchValue, false),
  logLevel: setting(
    '--log-level <level>',
    'TILLER_LOG_LEVEL',
    logLevels.join(', '),
    z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }),
    'info',
  ),
} as const;
