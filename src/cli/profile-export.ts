import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { profileExportSettings } from '../profile-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller profile export`: one version as a file that needs nothing besides. */
export function addProfileExport(group: Command, context: CliContext): void {
  const command = group
    .command('export')
    .description('Write a saved steering as one JSON file that holds its directions.')
    .argument('<profile>', '[model@]name[:version]')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { out } = usage(command, () => loadSettings(profileExportSettings, flags, context.environment));
      const { readStoredProfile } = await import('../profiles/stored-profiles.ts');
      const { toProfileFile } = await import('../../sae-registry/index.ts');
      const text = `${JSON.stringify(toProfileFile(await readStoredProfile(config, reference)), null, 2)}\n`;
      if (out === null) return void context.stdout.write(text);
      await writeFile(out, text);
      context.stdout.write(`${out}\n`);
    });
  addSettings(command, { ...profileExportSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}
