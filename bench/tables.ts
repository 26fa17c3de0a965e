import { demoTable } from './demo-results.ts';
import { decodeRatioLimit, memoryRatio, memoryRatioLimit, startSecondsLimit } from './gates.ts';
import type { DecodeResults, Machine, Memory, Results, StartupResults } from './results.ts';
import { median, pairedRatios } from './statistics.ts';

const markers = (name: string) =>
  ({ start: `<!-- bench:${name}:start -->`, end: `<!-- bench:${name}:end -->` }) as const;

/** The README's tables by the name in their markers. */
export function renderTables({ decode, startup, demo }: Results): ReadonlyMap<string, string> {
  return new Map([
    ['decode', decodeTable(decode)],
    ['prefill', prefillTable(decode)],
    ['steering', steeringTable(decode)],
    ['startup', startupTable(startup)],
    ['memory', memoryTable(startup)],
    ['demo', demoTable(demo)],
  ]);
}

/**
 * The text with every table between its markers replaced. Throws where a table's markers are missing or stand twice, and where there
 * are markers of a table that does not exist: a figure that nobody generates would go stale unseen.
 */
export function replaceTables(text: string, tables: ReadonlyMap<string, string>): string {
  for (const [, name] of text.matchAll(/<!-- bench:([\w-]+):(?:start|end) -->/g)) {
    if (!tables.has(name)) throw new Error(`There is no table '${name}'; there are ${[...tables.keys()].join(', ')}.`);
  }
  let result = text;
  for (const [name, table] of tables) {
    const { start, end } = markers(name);
    const [before, rest, ...more] = result.split(start);
    const [, after, ...others] = rest?.split(end) ?? [];
    if (rest === undefined || after === undefined || more.length > 0 || others.length > 0) {
      throw new Error(`The text needs the lines '${start}' and '${end}' once each, in this order.`);
    }
    result = `${before}${start}\n${table}\n${end}${after}`;
  }
  return result;
}

export function decodeTable(results: DecodeResults): string {
  const { decode, machine, settings } = results;
  const rows = decode.map((entry) => {
    const bare = entry.variant.endsWith('/model');
    const peer = decode.find(
      ({ variant, rows }) => rows === entry.rows && variant === (bare ? 'llama.cpp-bf16/model' : 'llama.cpp-bf16'),
    );
    const ratio = peer ? times(median(pairedRatios(entry.tokensPerSecond, peer.tokensPerSecond))) : '';
    return [variantName(entry.variant), String(entry.rows), number(median(entry.tokensPerSecond)), ratio];
  });
  return [
    table(['', 'rows', 'tokens/s', '× llama.cpp BF16'], rows),
    `Greedy, after a prompt of ${settings.promptTokens} tokens, ${settings.threads} threads each; medians of ${settings.rounds} interleaved rounds, ratios taken within rounds. The gate is ${decodeRatioLimit} at one row. ${machineLine(machine)}`,
  ].join('\n\n');
}

export function prefillTable({ prefill }: DecodeResults): string {
  const rows = prefill.map(({ variant, tokens, tokensPerSecond }) => {
    const peer = prefill.find((entry) => entry.tokens === tokens && entry.variant === 'llama.cpp-bf16');
    const ratio = peer ? times(median(pairedRatios(tokensPerSecond, peer.tokensPerSecond))) : '';
    return [variantName(variant), String(tokens), number(median(tokensPerSecond)), ratio];
  });
  return table(['', 'prompt tokens', 'tokens/s', '× llama.cpp BF16'], rows);
}

export function steeringTable({ steering }: DecodeResults): string {
  const rows = steering.map(({ rows, edits, tokensPerSecond }) => {
    const plain = steering.find((entry) => entry.rows === rows && entry.edits === 0);
    const ratio = plain ? times(median(pairedRatios(tokensPerSecond, plain.tokensPerSecond))) : '';
    return [String(rows), String(edits), number(median(tokensPerSecond)), ratio];
  });
  return table(['rows', 'edits on every row', 'tokens/s', '× unsteered'], rows);
}

export function startupTable({ afterReady, asSoonAsListening, machine, settings }: StartupResults): string {
  const rows = [
    ['port listens', seconds(afterReady.listening)],
    ['ready', seconds(afterReady.ready)],
    ['first token, asked once ready', seconds(afterReady.firstToken)],
    ['first token, asked as soon as the port listens', seconds(asSoonAsListening.firstToken)],
  ];
  return [
    table(['from start, cache warm', 'seconds'], rows),
    `Medians of ${settings.runs} starts. The gate is ${startSecondsLimit} s to the first token. ${machineLine(machine)}`,
  ].join('\n\n');
}

export function memoryTable(results: StartupResults): string {
  const { memory, settings, float32WeightBytes } = results;
  const columns = [memory.loaded, memory.busy];
  const cells = (value: (entry: Memory) => number | null) =>
    columns.map((entries) => {
      const values = entries.map(value).filter((entry) => entry !== null);
      return values.length === 0 ? 'not known' : megabytes(median(values));
    });
  const part = (name: keyof NonNullable<Memory['parts']>) => cells(({ parts }) => parts?.[name] ?? null);
  const rows = [
    ['packed weights', ...part('packedWeights')],
    ['mapped weights (rows of the embedding that were read)', ...part('mappedWeights')],
    ['keys, values and logits', ...cells(({ keyValue }) => keyValue)],
    ["Node's heap", ...part('nodeHeap')],
    ['programs and libraries', ...part('programFiles')],
    ['rest', ...part('rest')],
    ['**resident**', ...cells(({ resident }) => resident)],
    ['the most since the start', ...cells(({ peak }) => peak)],
    [
      'without keys, values and logits, × float32 weights',
      times(memoryRatio(results, 'loaded')),
      times(memoryRatio(results, 'busy')),
    ],
  ];
  return [
    table(['MB', 'loaded', `${settings.requests} replies at once`], rows),
    `The float32 weights are ${megabytes(float32WeightBytes)} MB; the gate is ${memoryRatioLimit} times that, without keys and values.`,
  ].join('\n\n');
}

const variantNames: Readonly<Record<string, string>> = {
  'tiller-f32': 'Tiller f32',
  'tiller-f32/model': 'Tiller f32, model alone',
  'tiller-f32-file': 'Tiller f32, from an F32 file',
  'llama.cpp-bf16': 'llama.cpp BF16',
  'llama.cpp-bf16/model': 'llama.cpp BF16, `llama_decode` alone',
  'llama.cpp-f32': 'llama.cpp F32',
  'llama.cpp-q8_0': 'llama.cpp Q8_0',
  'llama.cpp-q4_1': 'llama.cpp Q4_1 (the file as it is)',
};
const variantName = (variant: string) => variantNames[variant] ?? variant;

function machineLine({ cpu, cores, node, onnxruntime, llamaCpp, date, commit }: Machine): string {
  const peer = llamaCpp ? `, node-llama-cpp ${llamaCpp.package} (llama.cpp ${llamaCpp.release})` : '';
  return `${cpu}, ${cores} cores, Node ${node.slice(1)}, ONNX Runtime ${onnxruntime}${peer}; commit ${commit}, ${date.slice(0, 10)}.`;
}

/** A Markdown table; all columns but the first are numbers. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const number = (value: number) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const times = (value: number) => value.toFixed(2);
const seconds = (values: readonly number[]) => median(values).toFixed(2);
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
