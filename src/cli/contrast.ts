import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import type { ContrastAnswer } from '../contrast/contrast-command.ts';
import { contrastSettings } from '../contrast-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

/** `tiller contrast <data>`: what tells two kinds of texts apart inside the model. */
export function addContrast(program: Command, context: CliContext): void {
  const command = program
    .command('contrast')
    .description(
      'Contrast two kinds of texts: a vector between them, how well it does on texts it has not seen, features.',
    )
    .argument(
      '<data>',
      'JSON lines of pairs or of items with a class, or a bundled data set: formal-casual, cheerful-gloomy',
    )
    .action(async (data: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(contrastSettings, flags, context.environment));
      const { runContrast } = await import('../contrast/contrast-command.ts');
      const answer = await withInterrupt(context, (signal, display) =>
        runContrast(config, data, settings, { ...display, signal }),
      );
      context.stdout.write(`${settings.json ? JSON.stringify(answer, null, 2) : contrastText(answer)}\n`);
    });
  addSettings(command, {
    ...contrastSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

/** The answer as tables: the vector, the hook points, the features of each source. */
export function contrastText({
  items,
  tokens,
  folds,
  vector,
  bag_of_words,
  hook_points,
  sources,
}: ContrastAnswer): string {
  const topics = items.topics > 0 ? `, ${items.topics} topics held out whole` : '';
  const relative = vector.relative_norm === null ? '' : `, ${vector.relative_norm.toFixed(3)} of the stream's`;
  const rows = [
    ['items', `${items.positive} and ${items.negative}, ${tokens} tokens, ${folds} folds${topics}`],
    ['hook point', vector.hook_point],
    ['held-out AUROC', interval(vector.held_out)],
    ...(vector.held_out_with_choice ? [['and of choosing the hook point', interval(vector.held_out_with_choice)]] : []),
    ['AUROC of words alone', interval(bag_of_words)],
    ['effect size', vector.effect_size.toFixed(2)],
    ['norm', `${vector.norm.toPrecision(4)}${relative}`],
    ...(vector.saved ? [['saved', `${vector.saved.name}:${vector.saved.version}`]] : []),
  ];
  const near = vector.nearest_features.map(({ id, cosine, label }) => [id, cosine.toFixed(3), label ?? '']);
  const places = hook_points.map((place) => [
    place.hook_point,
    place.held_out.auroc.toFixed(4),
    place.effect_size.toFixed(2),
  ]);
  const ofSources = sources.map(({ source, features }) => {
    const lines = features.map((feature) => [
      String(feature.index),
      feature.sign,
      feature.auroc.toFixed(3),
      feature.positive_mean.toPrecision(3),
      feature.negative_mean.toPrecision(3),
      feature.label ?? '',
    ]);
    return textTable([[source, 'stronger in', 'AUROC', 'positive', 'negative', 'label'], ...lines]);
  });
  return [
    textTable(rows),
    ...(places.length > 1 ? [textTable([['hook point', 'AUROC', 'effect size'], ...places])] : []),
    ...(near.length > 0 ? [textTable([['nearest features', 'cosine', 'label'], ...near])] : []),
    ...ofSources,
  ].join('\n\n');
}

function interval({ auroc, low, high }: ContrastAnswer['bag_of_words']): string {
  return `${auroc.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;
}
