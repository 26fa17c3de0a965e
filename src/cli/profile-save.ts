import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { editSettings, ruleSettings, targetSettings } from '../command-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { profileSaveSettings } from '../profile-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import { toWireEdit } from '../wire-edit.ts';
import type { CliContext } from './context.ts';
import { readEdits, recordEditFlags } from './edit-flags.ts';
import { addSettings, pick, usage } from './options.ts';
import { readRules } from './rules-file.ts';

const examples = `
Each --feature or --vector begins an edit, as in tiller steer. --profile is a saved steering to begin with.

Example:
  tiller profile save prayers --description "talks of heaven" --feature smollm2-135m-instruct/17-res-4k/837 --strength 1.5`;

/** `tiller profile save`: edits as the next version of a name. */
export function addProfileSave(group: Command, context: CliContext): void {
  const command = group
    .command('save')
    .description('Save edits as the next version of a profile, every number made raw.')
    .argument('<name>', "letters, digits, '-', '_' and '.'");
  addSettings(command, {
    ...profileSaveSettings,
    ...targetSettings,
    ...editSettings,
    ...ruleSettings,
    ...pick(serveSettings, 'model', 'source', 'profile', 'threads', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
  const typed = recordEditFlags(command);
  command.addHelpText('after', examples).action(async (name: string, flags: Record<string, unknown>) => {
    const config = usage(command, () => loadConfig(flags, context.environment));
    const { description } = usage(command, () => loadSettings(profileSaveSettings, flags, context.environment));
    const rules = usage(command, () => readRules(loadSettings(ruleSettings, flags, context.environment).rules));
    const edits = usage(command, () => {
      const found = readEdits(typed, context.environment);
      if (found.length + rules.length > 0 || config.profile !== null) return found;
      throw new TillerError('invalid_request', 'Nothing to save: give --feature, --vector, --rules or --profile.');
    });
    const { saveOverModel } = await import('../profiles/ask-model.ts');
    const steering = {
      ...(config.profile === null ? {} : { profile: config.profile }),
      edits: edits.map(toWireEdit),
      ...(rules.length > 0 ? { rules } : {}),
    };
    const saved = await saveOverModel(config, () => '/api/v1/profiles', { name, description, steering });
    context.stdout.write(`${saved.model}@${saved.name}:${saved.version}\n`);
  });
}
