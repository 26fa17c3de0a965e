import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { saeSettings } from '../sae-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

/** `tiller sae show`: a dictionary's own description, read from its files. */
export function addSaeShow(group: Command, context: CliContext): void {
  const command = group
    .command('show')
    .description('What a dictionary is: read from its files, whatever model it is of.')
    .argument('<source>', 'model/name, as tiller sae list shows it, or a folder or file')
    .action(async (what: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(saeSettings, flags, context.environment));
      const { describeSource } = await import('../sae/show.ts');
      const described = await describeSource(config, what);
      const rows = Object.entries(described).map(([key, value]) => [
        key.replaceAll('_', ' '),
        value === null ? 'not said' : String(value),
      ]);
      context.stdout.write(`${json ? JSON.stringify(described, null, 2) : textTable(rows)}\n`);
    });
  addSettings(command, { ...saeSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}
