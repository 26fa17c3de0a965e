import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import type { LabelAgreement } from '../../sae-registry/labelling/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { labelsCompareSettings } from '../labelling-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import { printable } from './columns.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller labels compare <source>`: how far two sets of labels say the same. */
export function addLabelsCompare(group: Command, context: CliContext): void {
  const command = group
    .command('compare')
    .description('Compare two sets of labels of one source: how alike they are, and where they differ most.')
    .argument('<source>', 'model/name, or the name alone')
    .action(async (source: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(labelsCompareSettings, flags, context.environment));
      const first = { method: settings.firstMethod, author: settings.firstAuthor };
      const second = { method: settings.secondMethod, author: settings.secondAuthor };
      usage(command, () => {
        if (first.method !== second.method || first.author !== second.author) return;
        throw new TillerError('invalid_request', 'Say which labels to compare: --first-… and --second-… are the same.');
      });
      const { compareLabelSets } = await import('../labels/compare.ts');
      const agreement = await compareLabelSets(config, source, { first, second, least: settings.least });
      context.stdout.write(`${settings.json ? JSON.stringify(agreement, null, 2) : text(agreement)}\n`);
    });
  addSettings(command, { ...labelsCompareSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function text({ measure, features, onlyFirst, onlySecond, mean, median, chance, least }: LabelAgreement): string {
  const by = measure === 'meaning' ? 'cosine of embeddings' : 'shared words: not every label has an embedding yet';
  const strangers = chance === null ? '' : `; labels of different features: mean ${chance.toFixed(3)}`;
  const rows = least.flatMap(({ feature, first, second, similarity }) => [
    `${String(feature).padStart(7)}  ${similarity.toFixed(3)}  ${printable(first)}`,
    `${' '.repeat(16)}${printable(second)}`,
  ]);
  return [
    `${features} features have labels in both sets, ${onlyFirst} in the first alone, ${onlySecond} in the second alone.`,
    `Similarity (${by}): mean ${mean.toFixed(3)}, median ${median.toFixed(3)}${strangers}.`,
    ...(rows.length === 0 ? [] : ['Least alike:', ...rows]),
  ].join('\n');
}
