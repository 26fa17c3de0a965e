import { type CacheEntry, formatBytes } from '../../engine/checkpoint/acquire/index.ts';
import type { DoctorReport, ModelEstimate } from './doctor-report.ts';
import { estimatedPrecisions } from './published-estimate.ts';

/** The report for a person: one line a fact, what is wrong marked with `!`. */
export function renderReport(report: DoctorReport): string {
  return [
    `  tiller ${report.version}`,
    ...machine(report),
    ...runtime(report),
    report.compiler === null
      ? "! C++ compiler: none ('c++'); Tiller's own operators cannot be compiled, ONNX Runtime's are slower"
      : `  C++ compiler: ${report.compiler}`,
    report.python.pip === null
      ? `! Python with pip: ${report.python.problem} (only needed to get a model when the Hub cannot be reached)`
      : `  pip: ${report.python.pip}`,
    `${report.cache.free === null ? '!' : ' '} cache: ${report.cache.folder}, ${
      report.cache.free === null ? 'free space unknown' : `${formatBytes(report.cache.free)} free`
    }`,
    ...report.cache.models.map(cached),
    dictionaries(report),
    ...report.models.map(fits),
    ...published(report),
  ].join('\n');
}

/** One line a published model: what it needs in each precision, and a mark on what is not free now. */
function published({ published: models, memory }: DoctorReport): string[] {
  const cells = models.map(({ repository, parameters, bytes, fits: fitting }) => [
    repository,
    `${(parameters / 1e6).toFixed(0)} M`,
    ...estimatedPrecisions.map((name) => `${(bytes[name] / 1e9).toFixed(2)} GB${fitting[name] ? ' ' : '!'}`),
  ]);
  const rows = [['--model', 'weights', 'f32', 'int8', '4-bit'], ...cells];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `    ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`;
  return [
    `  published models, memory by precision with up to 4,096 tokens of keys and values (upper estimates; \`!\`: more than the ` +
      `${formatBytes(memory.available)} that are free):`,
    ...rows.map(line),
  ];
}

/** What stops Tiller from running at all. */
export function fatalProblems(report: DoctorReport): string[] {
  const problems = report.runtime.problem === null ? [] : [report.runtime.problem];
  return report.node.supported ? problems : [...problems, `Node ${report.node.version} is too old; 20 is the oldest.`];
}

function machine({ platform, node, processor, memory }: DoctorReport): string[] {
  const cores = processor.physical_cores === null ? 'unknown' : String(processor.physical_cores);
  return [
    `  platform: ${platform.name} (${platform.release})`,
    `${node.supported ? ' ' : '!'} Node: ${node.version}`,
    `  processor: ${cores} physical cores, ${processor.default_threads} threads by default`,
    `  memory: ${formatBytes(memory.available)} available of ${formatBytes(memory.total)}`,
  ];
}

function runtime({ runtime, platform }: DoctorReport): string[] {
  if (runtime.path === null) return [`! ONNX Runtime: ${runtime.problem}`];
  const tried = runtime.tried ? '' : ` (nobody has tried Tiller on ${platform.name} yet)`;
  return [
    `  ONNX Runtime: ${runtime.path}${tried}`,
    '  GPU: not used; .npmrc skips the CUDA download of onnxruntime-node (see the README on how to turn it on)',
  ];
}

/** What is held beside each model while dictionaries are used, and which flags say so. */
function dictionaries({ dictionaries: { matrices, encoders, unembedding } }: DoctorReport): string {
  return (
    `  dictionaries of a model, as they are used: matrices up to ${matrices === null ? '256 MiB each' : formatBytes(matrices)} ` +
    `(--sae-memory-bytes), encoders up to ${formatBytes(encoders)} (--encoder-memory-bytes), its unembedding where that takes no ` +
    `more than ${formatBytes(unembedding)} (--unembedding-memory-bytes)`
  );
}

const stateWords: Readonly<Record<CacheEntry['state'], string>> = {
  ready: 'in the cache, verified',
  unverified: 'in the cache, will be verified at its next use',
  wrong_size: 'damaged in the cache; tiller pull fetches it again',
  partial: 'begun; tiller pull resumes where the source allows',
  absent: 'not in the cache; tiller pull gets it',
};

function cached(entry: CacheEntry): string {
  const mark = entry.state === 'wrong_size' ? '!' : ' ';
  return `${mark} ${entry.name}: ${stateWords[entry.state]} (${formatBytes(entry.bytes)} of ${formatBytes(entry.expectedBytes)})`;
}

function fits(model: ModelEstimate): string {
  const words = { yes: 'fits', partly: 'loads, but memory for keys and values is short', no: 'does not fit' }[
    model.fits
  ];
  const advice = model.fits === 'partly' ? '; give less with --kv-cache-bytes' : '';
  return (
    `${model.fits === 'no' ? '!' : ' '} ${model.name} in memory: ${words}${advice} (estimate: ` +
    `${formatBytes(model.needed)}, of which ${formatBytes(model.weights.mapped)} are mapped files that the system may take back; and up to ${formatBytes(model.limits.keyValueBytes)} of keys and values, as needed)\n` +
    `  ${model.name} would be served with ${model.explained}`
  );
}
