import { machineLine, megabytes, number, table } from '../markdown.ts';
import { median } from '../statistics.ts';
import { choices } from './plan.ts';
import { batchRows, type ModelsResults } from './results.ts';

/** The table of docs/models.md by the name in its markers. */
export function modelsTables(results: ModelsResults | null): ReadonlyMap<string, string> {
  return new Map([['models', results ? modelsTable(results) : 'Not measured yet: `npm run bench:models`.']]);
}

function modelsTable({ machine, settings, models, otherLoad }: ModelsResults): string {
  const head = [
    'model, precision',
    'checkpoint, GB',
    'prepared, GB',
    'first load, s',
    'load, s',
    'resident, MB',
    'working, MB',
    'peak, MB',
    'tokens/s, 1 row',
    `tokens/s, ${batchRows} rows`,
    `tokens/s, prompt of ${settings.prefillTokens}`,
  ];
  const rows = models.flatMap(({ title, parameters, precisions }) => [
    [`**${title}**, ${billions(parameters)} weights`, ...head.slice(1).map(() => '')],
    ...precisions.map((figures) => [
      choices.find(({ name }) => name === figures.choice)?.title ?? figures.choice,
      gigabytes(figures.checkpointBytes),
      gigabytes(figures.preparedBytes),
      number(figures.firstLoadSeconds),
      number(figures.loadSeconds),
      megabytes(figures.loadedBytes),
      megabytes(figures.workingBytes),
      figures.peakBytes === null ? 'not known' : megabytes(figures.peakBytes),
      number(median(figures.decodeOne)),
      number(median(figures.decodeBatch)),
      number(median(figures.prefill)),
    ]),
  ]);
  const busy = Math.max(...otherLoad);
  return [
    table(head, rows),
    `Medians of ${settings.rounds} rounds, ${settings.threads} threads; other processes kept up to ${busy.toFixed(1)} cores busy meanwhile. ${machineLine(machine)}`,
  ].join('\n\n');
}

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
const billions = (count: number) =>
  count < 1e9 ? `${(count / 1e6).toFixed(0)} million` : `${(count / 1e9).toFixed(2)} billion`;
