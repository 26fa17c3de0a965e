import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings, theModel } from '../config.ts';
import { profileImportSettings } from '../profile-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller profile import`: an exported file as the next version of its name. */
export function addProfileImport(group: Command, context: CliContext): void {
  const command = group
    .command('import')
    .description("Save an exported profile; one of another model's weights is refused.")
    .argument('<file>', 'as tiller profile export wrote it')
    .action(async (source: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { name } = usage(command, () => loadSettings(profileImportSettings, flags, context.environment));
      theModel(config);
      const file = await readJsonFile(source);
      const { saveOverModel } = await import('../profiles/ask-model.ts');
      const path = (model: string) =>
        `/api/v1/profiles/import?${new URLSearchParams({ model, ...(name === null ? {} : { name }) })}`;
      const saved = await saveOverModel(config, path, file);
      context.stdout.write(`${saved.model}@${saved.name}:${saved.version}\n`);
    });
  addSettings(command, {
    ...profileImportSettings,
    ...pick(serveSettings, 'model', 'threads', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new TillerError('invalid_request', `The file ${path} ${why}.`, { param: 'file', cause });
  }
}
