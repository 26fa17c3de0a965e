import { machineLine, megabytes, table, times } from '../markdown.ts';
import { median } from '../statistics.ts';
import { memoryRatio, memoryRatioLimit, startSecondsLimit } from './gates.ts';
import type { Memory, StartupResults } from './results.ts';

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
    ['mapped weights', ...part('mappedWeights')],
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

const seconds = (values: readonly number[]) => median(values).toFixed(2);
