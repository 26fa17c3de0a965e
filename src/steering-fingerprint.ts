import { comparisonsOf, type EditTarget, type SteeringUnit } from '../engine/core/index.ts';
import type { SteeringBlock } from '../routes/services.ts';
import type { SteeringContext } from './compile-steering.ts';
import type { SpecifiedRule } from './specify-rules.ts';

type Pinned = Pick<SteeringBlock['fingerprint'], 'sources' | 'statistics'>;

/** A target and the unit of its number. */
export interface PinnedTarget {
  readonly target: Pick<EditTarget, 'kind' | 'id' | 'hookPoint'>;
  readonly unit: SteeringUnit | null;
}

/** What a rule reads and writes, as what pins it. */
export function pinnedOf({ specification: { when, edits } }: Pick<SpecifiedRule, 'specification'>): PinnedTarget[] {
  const read = comparisonsOf(when).map(({ target: id, targetKind: kind, unit, probe: { hookPoint } }): PinnedTarget => {
    const counted = unit === 'max_activation' || unit === 'stream_norm' ? unit : 'raw';
    return { target: { kind, id, hookPoint }, unit: counted };
  });
  return [...read, ...edits];
}

/** Hashes of the dictionaries that edits take directions from, and versions of the statistics that make their units raw. */
export function pinnedBy(
  specifications: readonly PinnedTarget[],
  { registry }: Pick<SteeringContext, 'registry'>,
): Pinned {
  const sources: Record<string, string> = {};
  const statistics: Record<string, string> = {};
  for (const { target, unit } of specifications) {
    const norm = registry.streamNorm(target.hookPoint);
    if (target.kind === 'feature') {
      const source = registry.sourceOf(target.id);
      sources[source.id] = source.dictionary.hash;
      if (source.statistics) statistics[source.id] = source.statistics.version;
      if (norm && unit === 'stream_norm') statistics[norm.from] = norm.version;
    } else if (norm && unit !== 'raw') statistics[norm.from] = norm.version;
  }
  return { sources, statistics };
}

/** Both; where they pin one thing by different values, both values stand side by side. */
export function joinPins(a: Pinned, b: Pinned): Pinned {
  return { sources: joinRecords(a.sources, b.sources), statistics: joinRecords(a.statistics, b.statistics) };
}

function joinRecords(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): Record<string, string> {
  const joined: Record<string, string> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const there = joined[key];
    joined[key] = there === undefined || there === value ? value : `${there}, ${value}`;
  }
  return joined;
}
