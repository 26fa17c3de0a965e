import type { Command } from 'commander';
import { loadConfig, loadSettings, theModel } from '../config.ts';
import { saeAddSettings } from '../sae-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { withInterrupt } from './with-interrupt.ts';

/** `tiller sae add`: get a dictionary, check it against its model, and load it with that model from now on. */
export function addSaeAdd(group: Command, context: CliContext): void {
  const command = group
    .command('add')
    .description('Add a dictionary: it is checked, and loaded with its model from the next start on.')
    .argument(
      '<source>',
      'a folder or file, owner/name[@revision][:folder] of the Hugging Face Hub, or release/id of the catalog',
    )
    .action(async (what: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { name } = usage(command, () => loadSettings(saeAddSettings, flags, context.environment));
      theModel(config);
      const { addSource } = await import('../sae/add.ts');
      const added = await withInterrupt(context, (signal, display) =>
        addSource(config, { what, name }, { ...display, signal }),
      );
      const { dictionary, hookPoint } = added.source;
      context.stderr.write(
        `${dictionary.features} features (${dictionary.activation}) at ${hookPoint}, from ${added.path}\n`,
      );
      context.stdout.write(`${added.model}/${added.name}\n`);
    });
  addSettings(command, {
    ...saeAddSettings,
    ...pick(serveSettings, 'model', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
