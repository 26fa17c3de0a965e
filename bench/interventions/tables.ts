import { ratios } from '../encode/gates.ts';
import { machineLine, table, times } from '../markdown.ts';
import { median } from '../statistics.ts';
import type { InterventionResults } from './results.ts';

export function interventionTable({ machine, settings, first, prefills, patched }: InterventionResults): string {
  const { layers, positions, rounds, threads, precision, together } = settings;
  const runs = layers * positions;
  const row = (title: string, seconds: number, ratio: number) => [
    title,
    seconds.toFixed(1),
    ((seconds * 1000) / runs).toFixed(1),
    times(ratio),
  ];
  const plain = median(prefills);
  return [
    table(
      ['', 'seconds', 'milliseconds a run', 'over the prefills'],
      [
        row(`${runs} prompts of ${positions} tokens`, plain, 1),
        row(`patching ${layers} layers × ${positions} positions`, median(patched), median(ratios(patched, prefills))),
        row('the first time, graphs built meanwhile', first, first / plain),
      ],
    ),
    `Medians of ${rounds} rounds, both in turn, ${together} requests with the engine at once, ${precision}, ${threads} threads. ${machineLine(machine)}`,
  ].join('\n\n');
}

/** The table of docs/interventions.md by the name in its markers. */
export function interventionTables(results: InterventionResults | null): ReadonlyMap<string, string> {
  const missing = 'Not measured yet: `npm run bench:interventions`.';
  return new Map([['interventions', results === null ? missing : interventionTable(results)]]);
}
