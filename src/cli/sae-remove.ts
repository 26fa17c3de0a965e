import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller sae remove`: an added dictionary is loaded no more. */
export function addSaeRemove(group: Command, context: CliContext): void {
  const command = group
    .command('remove')
    .description('Take an added dictionary away; its files, labels and statistics stay.')
    .argument('<source>', 'model/name, as tiller sae list shows it')
    .action(async (id: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { removeAddedSource } = await import('../sae/remove.ts');
      await removeAddedSource(config, id);
      context.stderr.write(`${id} is loaded no more from the next start on.\n`);
    });
  addSettings(command, pick(serveSettings, 'dataDir', 'logLevel'));
}
