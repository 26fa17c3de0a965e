import { atLeast, type Gate, quietGate } from '../gates.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { MeasuredCase, SteeringResults } from './results.ts';

/** How much of the unsteered speed is left: the median over the rounds. */
export function keptShare({ steered, unsteered }: Pick<MeasuredCase, 'steered' | 'unsteered'>): number {
  return median(pairedRatios(steered, unsteered));
}

/** The worst case of those that `matches` picks; null where there is none. */
function worst(results: SteeringResults, matches: (entry: MeasuredCase) => boolean): number | null {
  const shares = results.cases.filter(matches).map(keptShare);
  return shares.length === 0 ? null : Math.min(...shares);
}

/** Issue 4's table. Each holds for every precision measured, for edits that read and for those that do not, at both levels. */
export function checkSteering(results: SteeringResults): Gate[] {
  const { rows } = results.settings;
  const everyRow = ({ steering }: MeasuredCase) => steering.steeredRows === rows;
  const distinct = ({ steering }: MeasuredCase, placement: string) =>
    steering.placement === placement && steering.distinct === rows;
  const unused = results.unused.map(({ never, loaded }) => median(pairedRatios(loaded, never)));
  return [
    atLeast(
      `${rows} distinct steerings in a batch, one hook point`,
      worst(results, (entry) => everyRow(entry) && distinct(entry, 'one')),
      0.97,
      0.99,
    ),
    atLeast(
      `${rows} distinct steerings in a batch, a hook point each`,
      worst(results, (entry) => everyRow(entry) && distinct(entry, 'own')),
      0.97,
      0.99,
    ),
    atLeast(
      '8 edits on every layer, the same for all rows',
      worst(results, (entry) => everyRow(entry) && entry.steering.placement === 'all' && entry.steering.distinct === 1),
      0.82,
      0.9,
    ),
    atLeast(
      '8 edits on every layer, others for each row',
      worst(results, (entry) => everyRow(entry) && distinct(entry, 'all')),
      0.82,
      0.9,
    ),
    // the same graph runs: what is left is noise
    atLeast('steering loaded but unused', Math.min(...unused), 0.98, 1),
    atLeast(
      'logits without edits the same bit for bit, steering loaded or not',
      Number(results.unused.every(({ sameLogits }) => sameLogits)),
      1,
    ),
    atLeast('texts unchanged by edits scaled to zero', Number(results.cases.every(({ identical }) => identical)), 1),
    quietGate(results),
  ];
}
