import type { Command } from 'commander';
import type { Comparison } from '../../sae-registry/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { saeCompareSettings } from '../sae-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

/** `tiller sae compare`: which features two dictionaries have in common. */
export function addSaeCompare(group: Command, context: CliContext): void {
  const command = group
    .command('compare')
    .description(
      'Which features two dictionaries have in common: by the cosines of their decoder vectors, or by the correlations of their activations on texts.',
    )
    .argument('<a>', 'model/name, as tiller sae list shows it, or a folder or file')
    .argument('<b>', 'another')
    .action(async (a: string, b: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(saeCompareSettings, flags, context.environment));
      const { json, pairs } = settings;
      const { compareSources } = await import('../sae/compare.ts');
      const comparison = await withInterrupt(context, (signal, display) =>
        compareSources(config, a, b, settings, { ...display, signal }),
      );
      const shown = { ...comparison, pairs: comparison.pairs.slice(0, pairs) };
      context.stdout.write(`${json ? JSON.stringify({ a, b, ...shown }, null, 2) : comparisonText(a, b, shown)}\n`);
    });
  addSettings(command, {
    ...saeCompareSettings,
    ...pick(serveSettings, 'model', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

function comparisonText(a: string, b: string, comparison: Comparison): string {
  const { by, greedy, optimal, pairs, tokens } = comparison;
  const measure = by === 'decoder' ? 'cosine' : 'correlation';
  const compared = (features: number, some: number) =>
    `${features} features${some < features ? `, of which ${some} fire often enough` : ''}`;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const figures = [
    ['', 'greedy', 'optimal'],
    [`mean ${measure} of the pairs`, greedy.meanSimilarity.toFixed(3), optimal.meanSimilarity.toFixed(3)],
    ['median', greedy.medianSimilarity.toFixed(3), optimal.medianSimilarity.toFixed(3)],
    ...optimal.found.map(({ threshold, pairs: count, shareOfA, shareOfB }, i) => [
      `pairs at ${threshold} or above`,
      `${greedy.found[i]?.pairs ?? ''}`,
      `${count} (${percent(shareOfA)} of A, ${percent(shareOfB)} of B)`,
    ]),
  ];
  const candidates = [
    ['', 'of A in B', 'of B in A'],
    ['split into several', `${comparison.splitInB.count}`, `${comparison.splitInA.count}`],
    ['absorbed by another', `${comparison.absorbedInB.count}`, `${comparison.absorbedInA.count}`],
  ];
  const best = pairs.map((pair) => [`${pair.a}`, `${pair.b}`, pair.similarity.toFixed(3)]);
  return [
    `A: ${a}, ${compared(comparison.featuresOfA, comparison.comparedOfA)}`,
    `B: ${b}, ${compared(comparison.featuresOfB, comparison.comparedOfB)}`,
    ...(tokens === null ? [] : [`On ${tokens} tokens that count in both`]),
    `Stability (mean ${measure} of the optimal matching): ${comparison.stability.toFixed(3)}`,
    '',
    textTable(figures),
    '',
    textTable(candidates),
    ...(best.length > 0 ? ['', textTable([['A', 'B', measure], ...best])] : []),
  ].join('\n');
}
