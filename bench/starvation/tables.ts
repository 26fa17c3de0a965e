import { machineLine, table, times } from '../markdown.ts';
import { median } from '../statistics.ts';
import { slowdown } from './gates.ts';
import type { StarvationResults } from './results.ts';

export function starvationTable(results: StarvationResults): string {
  const { without, during, promptTtft, promptTtftAlone, settings, machine } = results;
  const milliseconds = (values: readonly number[]) => median(values).toFixed(0);
  const rows = [
    [`ITL of ${settings.streams} streams`, milliseconds(without.median), milliseconds(without.p99)],
    ['the same while the prompt is read', milliseconds(during.median), milliseconds(during.p99)],
  ];
  return [
    table(['milliseconds', 'median', 'p99'], rows),
    `p99 while the prompt of ${settings.promptTokens} tokens is read: ${times(slowdown(results))} times the median without it. The prompt's first token comes after ${(median(promptTtft) / 1000).toFixed(1)} s; with no streams there, after ${(median(promptTtftAlone) / 1000).toFixed(1)} s. Over HTTP with SSE, precision ${settings.precision}; medians of ${settings.rounds} rounds. ${machineLine(machine)}`,
  ].join('\n\n');
}
