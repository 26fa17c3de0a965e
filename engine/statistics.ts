import type { EngineStatistics } from './core/engine-events.ts';
import type { PrefixSharing } from './core/prefix-sharing.ts';
import type { Executor } from './core/step.ts';
import type { SchedulerSnapshot } from './scheduler/invariants.ts';

/** The engine's gauges and counters from what its parts know of themselves. */
export function statisticsOf(
  snapshot: SchedulerSnapshot,
  executor: Executor,
  prefix: PrefixSharing | null,
  { draining, broken }: Pick<EngineStatistics, 'draining' | 'broken'>,
): EngineStatistics {
  const { waiting, decoding, prefilling } = snapshot;
  const rows = [...decoding, ...prefilling];
  const waitingForVariant = waiting.filter(({ ready }) => !ready).length;
  const { runs: _, ...variants } = executor.statistics();
  const found = prefix?.statistics();
  return {
    // whoever left may hold memory for a moment, but is nobody's reply any more
    running: rows.filter(({ leaving }) => !leaving).length,
    waiting: waiting.length,
    waitingForVariant,
    waitingForCapacity: waiting.length - waitingForVariant,
    slots: snapshot.slots,
    context: snapshot.context,
    keyValueTokens: rows.reduce((sum, row) => sum + row.tokens, 0),
    prefixTokens: snapshot.prefixTokens,
    keyValueTokenLimit: snapshot.keyValueTokenLimit,
    keyValueTokenBytes: executor.tokenBytes,
    prefixQueries: found?.queries ?? 0,
    prefixHits: found?.hits ?? 0,
    prefixBlocksEvicted: found?.blocksEvicted ?? 0,
    ...variants,
    queueLimit: snapshot.queueLimit,
    draining,
    broken,
  };
}
