import type { Level } from '../workers/protocol.ts';
import type { SteeringCase } from './cases.ts';

export interface PlannedCase {
  readonly level: Level;
  readonly steering: SteeringCase;
}

/** Numbers of distinct steerings in a batch, as in EasySteer's curve; more than there are rows make no sense. */
const distinctCounts = [1, 8, 32] as const;

/** The whole curve for the model alone, its ends for the whole engine. */
export function planCases(rows: number): PlannedCase[] {
  const all: Omit<SteeringCase, 'kind'>[] = [
    ...distinctCounts.map((distinct) => ({ placement: 'one', distinct, edits: 1, steeredRows: rows }) as const),
    ...[8, 32].map((distinct) => ({ placement: 'own', distinct, edits: 1, steeredRows: rows }) as const),
    { placement: 'all', distinct: 1, edits: 8, steeredRows: rows },
    { placement: 'all', distinct: rows, edits: 8, steeredRows: rows },
    { placement: 'one', distinct: 1, edits: 1, steeredRows: 1 },
    { placement: 'all', distinct: 1, edits: 8, steeredRows: 1 },
  ];
  const possible = all.filter(({ distinct }) => distinct <= rows);
  const modelCases = possible.flatMap((steering) =>
    (['add', 'set'] as const).map((kind) => ({ level: 'model', steering: { ...steering, kind } }) as const),
  );
  const served = possible
    .filter(({ placement, distinct }) => placement === 'all' || distinct === 1 || distinct === rows)
    .map((steering) => ({ level: 'service', steering: { ...steering, kind: 'set' } }) as const);
  return [...modelCases, ...served];
}
