import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller profile delete`: one version, or all of a name. */
export function addProfileDelete(group: Command, context: CliContext): void {
  const command = group
    .command('delete')
    .description(
      'Delete a version of a profile, or with its name alone all of them; their numbers are not given again.',
    )
    .argument('<profile>', '[model@]name[:version]')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { deleteStoredProfile } = await import('../profiles/stored-profiles.ts');
      const deleted = await deleteStoredProfile(config, reference);
      context.stderr.write(`Deleted version${deleted.length === 1 ? '' : 's'} ${deleted.join(', ')}.\n`);
    });
  addSettings(command, pick(serveSettings, 'dataDir', 'logLevel'));
}
