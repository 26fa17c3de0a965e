import type { Command } from 'commander';
import { collectSettings } from '../command-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller collect`: measure what the unit `stream_norm` stands for. */
export function addCollect(program: Command, context: CliContext): void {
  const command = program
    .command('collect')
    .description("Measure the median norm of a model's stream at every hook point: the unit stream_norm of vectors.")
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(collectSettings, flags, context.environment));
      context.stdout.write(`${await context.actions.runCollect(config, settings)}\n`);
    });
  addSettings(command, {
    ...collectSettings,
    ...pick(serveSettings, 'model', 'threads', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
