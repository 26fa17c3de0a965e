import { machineLine, table, times } from '../markdown.ts';
import { median, pairedRatios } from '../statistics.ts';
import { throughput } from './gates.ts';
import type { InspectionResults } from './results.ts';

export function inspectionTable(results: InspectionResults): string {
  const { plain, inspected, without, during, settings, machine } = results;
  const { texts, tokens, streams, textsBeside, rounds, threads, precision } = settings;
  const row = (title: string, seconds: readonly number[], bytes: number | null) => [
    title,
    median(seconds).toFixed(1),
    ((texts * tokens) / median(seconds)).toFixed(0),
    bytes === null ? '1.00' : times(throughput(plain, seconds)),
    bytes === null ? '' : (bytes / 1e6).toFixed(1),
  ];
  const rows = [
    row('prompts of replies of one token', plain, null),
    ...inspected.map(({ title, seconds, answerBytes }) => row(title, seconds, answerBytes)),
  ];
  const milliseconds = (values: readonly number[]) => median(values).toFixed(0);
  return [
    table(['', 'seconds', 'tokens a second', 'of plain', 'answer, MB'], rows),
    table(
      [`ITL of ${streams} streams, milliseconds`, 'median', 'p99'],
      [
        ['without', milliseconds(without.median), milliseconds(without.p99)],
        [`while ${textsBeside} texts are inspected`, milliseconds(during.median), milliseconds(during.p99)],
      ],
    ),
    `p99 beside an inspection: ${times(median(pairedRatios(during.p99, without.p99)))} times its value without. ${texts} texts of ${tokens} tokens over HTTP, ` +
      `precision ${precision}, ${threads} threads; medians of ${rounds} rounds, taken by turns. ${machineLine(machine)}`,
  ].join('\n\n');
}

/** The table of docs/inspection.md by the name in its markers. */
export function inspectionTables(results: InspectionResults | null): ReadonlyMap<string, string> {
  return new Map([
    ['inspection', results === null ? 'Not measured yet: `npm run bench:inspection`.' : inspectionTable(results)],
  ]);
}
