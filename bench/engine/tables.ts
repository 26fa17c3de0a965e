import { machineLine, number, table, times } from '../markdown.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { Level } from '../workers/protocol.ts';
import { samplesOf } from './gates.ts';
import type { EngineResults } from './results.ts';

const names: Readonly<Record<string, string>> = {
  'tiller-f32': 'Tiller f32',
  'tiller-int8': 'Tiller int8',
  'tiller-blocks': 'Tiller blocks (the file as it is)',
  'tiller-f32-file': 'Tiller f32, from an F32 file',
  'llama.cpp-bf16': 'llama.cpp BF16',
  'llama.cpp-q8_0': 'llama.cpp Q8_0',
  'llama.cpp-q4_0': 'llama.cpp Q4_0',
  'llama.cpp-q4_1': 'llama.cpp Q4_1 (the file as it is)',
};
const baseline = 'llama.cpp-bf16';

type Entry = { readonly engine: string; readonly level: Level; readonly tokensPerSecond: readonly number[] };

/** One row an engine and size, both levels side by side. */
function sideBySide(
  results: EngineResults,
  kind: 'decode' | 'prefill',
  entries: readonly (Entry & { readonly size: number })[],
) {
  return entries
    .filter(({ level }) => level === 'service')
    .map(({ engine, size, tokensPerSecond }) => {
      const alone = samplesOf(results, kind, 'model', engine, size);
      const ratio = (level: Level, values: readonly number[] | null) => {
        const peer = samplesOf(results, kind, level, baseline, size);
        return values && peer ? times(median(pairedRatios(values, peer))) : '';
      };
      return [
        names[engine] ?? engine,
        String(size),
        number(median(tokensPerSecond)),
        ratio('service', tokensPerSecond),
        alone ? number(median(alone)) : '',
        ratio('model', alone),
      ];
    });
}

const columns = (size: string) => ['', size, 'tokens/s', '× BF16', 'model alone', '× BF16'];

export function decodeTable(results: EngineResults): string {
  const { decode, machine, settings } = results;
  const rows = sideBySide(
    results,
    'decode',
    decode.map((entry) => ({ ...entry, size: entry.rows })),
  );
  return [
    table(columns('rows'), rows),
    `Greedy, after a prompt of ${settings.promptTokens} tokens; first what a server runs (queue, sampling, text), then the model alone; medians of ${settings.rounds} interleaved rounds, ratios to llama.cpp BF16 at the same level within rounds. Tiller: ${settings.threads} threads. ${peerLine(results)} ${machineLine(machine)}`,
  ].join('\n\n');
}

export function prefillTable(results: EngineResults): string {
  return table(
    columns('prompt tokens'),
    sideBySide(
      results,
      'prefill',
      results.prefill.map((entry) => ({ ...entry, size: entry.tokens })),
    ),
  );
}

/** What llama.cpp ran with, found by search. */
function peerLine({ peerSettings }: EngineResults): string {
  const words = peerSettings.map(({ engine, workload, best }) => {
    const flash = best.flashAttention ? 'flash attention' : 'no flash attention';
    return `${(names[engine] ?? engine).replace('llama.cpp ', '')} ${workload}: ${best.threads} threads, ${flash}, batches of ${best.batchSize}`;
  });
  return `llama.cpp, its fastest settings of those tried (${words.join('; ')}).`;
}
