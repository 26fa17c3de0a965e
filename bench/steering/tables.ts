import { machineLine, number, percent, table } from '../markdown.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { SteeringCase } from './cases.ts';
import { keptShare } from './gates.ts';
import type { MeasuredCase, SteeringResults } from './results.ts';

/**
 * Throughput that EasySteer loses with so many distinct steerings in one batch: 30,633 tokens/s without any, 23,211 with 1, 19,923 with 8, 15,851
 * with 32 (its experiment/efficiency/README.md of 2026-08-06: RTX PRO 6000, a 1.5B model, 256 requests, scale 0, steering vectors in its fastest
 * mode). Other machine, other model: the shape is what can be compared.
 */
const easySteer: Readonly<Record<number, number>> = { 1: 23_211 / 30_633, 8: 19_923 / 30_633, 32: 15_851 / 30_633 };

export function steeringTable(results: SteeringResults): string {
  const { cases, settings, machine } = results;
  const kinds = new Map<string, MeasuredCase[]>();
  for (const entry of cases) {
    const { kind: _, ...same } = entry.steering;
    const key = JSON.stringify([entry.precision, same]);
    kinds.set(key, [...(kinds.get(key) ?? []), entry]);
  }
  const rows = [...kinds.values()].map((entries) => {
    const share = (kind: SteeringCase['kind'], level: MeasuredCase['level']) => {
      const found = entries.find((entry) => entry.level === level && entry.steering.kind === kind);
      return found ? percent(keptShare(found)) : '';
    };
    const [{ steering, precision }] = entries;
    const peer = steering.placement === 'one' && steering.steeredRows > 1 ? easySteer[steering.distinct] : undefined;
    const theirs = peer === undefined ? '' : percent(peer);
    return [
      describe(steering),
      precision,
      share('add', 'model'),
      share('set', 'model'),
      share('set', 'service'),
      theirs,
    ];
  });
  const unused = results.unused.map(({ precision, never, loaded }) => {
    const share = percent(median(pairedRatios(loaded, never)));
    return ['none, all the graphs above loaded', precision, share, share, '', ''];
  });
  const plain = cases.filter(({ level }) => level === 'model').flatMap(({ unsteered }) => unsteered);
  const head = [
    'steering of the batch',
    'precision',
    'add',
    'set (reads)',
    'set, whole engine',
    'EasySteer, its machine',
  ];
  return [
    table(head, [...unused, ...rows]),
    `Share of unsteered throughput that is left (${number(median(plain))} tokens/s at ${settings.rows} rows, model alone): medians of ${settings.rounds} rounds, steered and unsteered blocks of ${settings.steps} steps in turn, after ${settings.promptTokens} tokens of prompt. Edits are scaled to zero, so that every text stays as it is (checked). ${machineLine(machine)}`,
  ].join('\n\n');
}

function describe({ placement, distinct, edits, steeredRows }: SteeringCase): string {
  const where = { one: 'one hook point', own: 'a hook point each', all: `${edits} edits on every layer` }[placement];
  const who = steeredRows === 1 ? 'one row steered, the others not' : `${distinct} distinct`;
  return `${who}, ${where}`;
}
