import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { profileSettings } from '../profile-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

/** `tiller profile list`: every version of every model's profiles. */
export function addProfileList(group: Command, context: CliContext): void {
  const command = group
    .command('list')
    .description('Saved steerings of all models, newest version first.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(profileSettings, flags, context.environment));
      const { listStoredProfiles } = await import('../profiles/stored-profiles.ts');
      const found = (await listStoredProfiles(config)).map(({ model, name, version, description, addedAt }) => ({
        model,
        name,
        version,
        description,
        created: new Date(addedAt).toISOString(),
      }));
      const rows = found.map(({ model, name, version, description, created }) => [
        `${model}@${name}:${version}`,
        created,
        description,
      ]);
      const text = () =>
        rows.length === 0 ? 'None is saved.' : textTable([['profile', 'created', 'description'], ...rows]);
      context.stdout.write(`${json ? JSON.stringify(found, null, 2) : text()}\n`);
    });
  addSettings(command, { ...profileSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}
