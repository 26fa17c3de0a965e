import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { evalSettings, saeSettings } from '../sae-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

/** `tiller sae eval <source>`: how much of the stream, and of the model's predictions, a dictionary keeps. */
export function addSaeEval(group: Command, context: CliContext): void {
  const command = group
    .command('eval')
    .description(
      'Explained variance, L0, silent features, and the loss recovered when the reconstruction replaces the stream.',
    )
    .argument('<source>', 'model/name, or the name alone')
    .action(async (source: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(evalSettings, flags, context.environment));
      const { json } = usage(command, () => loadSettings(saeSettings, flags, context.environment));
      const { runSaeEval } = await import('../sae/eval.ts');
      const health = await withInterrupt(context, (signal, display) =>
        runSaeEval(config, source, settings, { ...display, signal }),
      );
      const rows = [
        ['source', health.source],
        ['tokens that count', `${health.tokens} of ${health.texts} texts`],
        ['explained variance', health.explainedVariance.toFixed(4)],
        ['L0', health.l0.toFixed(1)],
        ['silent features', `${health.silentFeatures} of ${health.features}`],
        ['loss of the model', health.loss.plain.toFixed(4)],
        ['with the reconstruction', health.loss.spliced.toFixed(4)],
        ['with zeros', health.loss.zeroed.toFixed(4)],
        ['loss recovered', health.lossRecovered.toFixed(4)],
      ];
      context.stdout.write(`${json ? JSON.stringify(health, null, 2) : textTable(rows)}\n`);
    });
  addSettings(command, {
    ...evalSettings,
    ...saeSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
