import { machineLine, table, times } from '../markdown.ts';
import { median } from '../statistics.ts';
import { cachedEntry, ttftRatio } from './gates.ts';
import { followers, type PrefixResults } from './results.ts';

export function prefixTable(results: PrefixResults): string {
  const { settings, machine, cold } = results;
  const rows = followers.map((follower) => {
    const { ttft, cachedTokens } = cachedEntry(results, follower);
    return [follower, String(median(cachedTokens)), median(ttft).toFixed(0), times(ttftRatio(results, follower))];
  });
  return [
    table(
      ['who sends the prefix', 'tokens cached', 'TTFT, ms', '× cold'],
      [['unsteered, never sent before', '0', median(cold).toFixed(0), '1.00'], ...rows],
    ),
    `Over HTTP, a prefix of ${settings.prefixTokens} tokens and ${settings.tailTokens} new ones after it, precision ${settings.precision}; medians of ${settings.rounds} rounds. ${machineLine(machine)}`,
  ].join('\n\n');
}
