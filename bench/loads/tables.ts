import { machineLine, table } from '../markdown.ts';
import { median } from '../statistics.ts';
import type { LoadsResults } from './results.ts';

export function loadsTable({ loads, machine, settings }: LoadsResults): string {
  const rows = loads.map(({ title, precision, seconds, limit }) => [
    `${title}, ${precision}`,
    median(seconds).toFixed(2),
    `≤ ${limit}`,
  ]);
  return [
    table(['model, precision; everything prepared', 'seconds', 'floor'], rows),
    `Medians of ${settings.rounds} rounds, ${settings.threads} threads, from starting a process until the model answers. ${machineLine(machine)}`,
  ].join('\n\n');
}
