import type { Command } from 'commander';
import type { SavedProfile } from '../../sae-registry/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { profileSettings } from '../profile-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

/** `tiller profile show`: what one version does. */
export function addProfileShow(group: Command, context: CliContext): void {
  const command = group
    .command('show')
    .description('What a saved steering does, in raw units; with --json also what was asked for.')
    .argument('<profile>', '[model@]name[:version]')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(profileSettings, flags, context.environment));
      const { readStoredProfile } = await import('../profiles/stored-profiles.ts');
      const profile = await readStoredProfile(config, reference);
      context.stdout.write(`${json ? profileJson(profile) : profileText(profile)}\n`);
    });
  addSettings(command, { ...profileSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function profileText(profile: SavedProfile): string {
  const { model, name, version, description, addedAt, frozen, fingerprint } = profile;
  const rows = frozen.edits.map(({ target, hook_point, mode, number, positions }) => [
    mode,
    target,
    hook_point,
    number === null ? '' : String(Number(number.toPrecision(6))),
    typeof positions === 'string' ? positions : `${positions.from}:${positions.to}`,
  ]);
  const about = `${model}@${name}:${version}, saved ${new Date(addedAt).toISOString()}, weights ${fingerprint.model_hash.slice(0, 16)}…`;
  const table = textTable([['mode', 'target', 'hook point', 'raw', 'positions'], ...rows]);
  return [about, ...(description === '' ? [] : [description]), '', table].join('\n');
}

function profileJson(profile: SavedProfile): string {
  const { model, name, version, description, addedAt, fingerprint, steering, frozen } = profile;
  const created = new Date(addedAt).toISOString();
  const shown = { model, name, version, description, created, fingerprint, steering, edits: frozen.edits };
  return JSON.stringify(shown, null, 2);
}
