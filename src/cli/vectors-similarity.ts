import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { vectorsSimilaritySettings } from '../vector-settings.ts';
import type { VectorSimilarity } from '../vectors/similarity-command.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';
import { toReference } from './vectors-combine.ts';
import { withInterrupt } from './with-interrupt.ts';

/** `tiller vectors similarity`: cosines among vectors and features, and the features nearest to each. */
export function addVectorsSimilarity(group: Command, context: CliContext): void {
  const command = group
    .command('similarity')
    .description('Cosines among vectors and features at each hook point, and the features nearest to each.')
    .argument('<name...>', 'saved vectors as name or name:version, features as source/index')
    .action(async (names: string[], flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { nearest, json } = usage(command, () =>
        loadSettings(vectorsSimilaritySettings, flags, context.environment),
      );
      const { runSimilarity } = await import('../vectors/similarity-command.ts');
      const answer = await withInterrupt(context, (signal, display) =>
        runSimilarity(config, { vectors: names.map(toReference), nearest }, { ...display, signal }),
      );
      context.stdout.write(`${json ? JSON.stringify(answer, null, 2) : similarityText(answer)}\n`);
    });
  addSettings(command, {
    ...vectorsSimilaritySettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

/** For each hook point a table of cosines, then one of the nearest features for each name. */
function similarityText({ hook_points }: VectorSimilarity): string {
  const tables = hook_points.flatMap(({ hook_point, vectors, cosines }) => {
    const names = vectors.map(({ name }) => name);
    const rows = vectors.map(({ name, norm }, k) => [
      ...[name, norm.toPrecision(5)],
      ...(cosines[k] ?? []).map((cosine) => cosine?.toFixed(4) ?? ''),
    ]);
    const near = vectors.flatMap(({ name, nearest = [] }) => {
      const lines = nearest.map(({ id, cosine, label }) => [id, cosine.toFixed(4), label ?? '']);
      return lines.length === 0 ? [] : [textTable([[`nearest to ${name}`, 'cosine', 'label'], ...lines])];
    });
    return [textTable([[hook_point, 'length', ...names], ...rows]), ...near];
  });
  return tables.join('\n\n');
}
