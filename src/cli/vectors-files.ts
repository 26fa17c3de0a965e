import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings, theModel } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { vectorsExportSettings, vectorsImportSettings } from '../vector-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller vectors import`: a file of directions as the next version of a name. */
export function addVectorsImport(group: Command, context: CliContext): void {
  const command = group
    .command('import')
    .description('Save a control vector (GGUF of repeng or llama.cpp) or safetensors named by hook points.')
    .argument('<file>')
    .action(async (path: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(vectorsImportSettings, flags, context.environment));
      const name = usage(command, () => required(settings.name, 'name', 'Say what to call it: --name.'));
      theModel(config);
      const bytes = await readFile(path).catch((cause: unknown) => {
        throw new TillerError('invalid_request', `The file ${path} cannot be read.`, { param: 'file', cause });
      });
      const { saveOverModel } = await import('../profiles/ask-model.ts');
      const query = (model: string) => new URLSearchParams({ model, name, description: settings.description });
      const saved = await saveOverModel(config, (model) => `/api/v1/vectors/import?${query(model)}`, bytes);
      context.stdout.write(`${saved.model}@${saved.name}:${saved.version}\n`);
    });
  addSettings(command, {
    ...vectorsImportSettings,
    ...pick(serveSettings, 'model', 'threads', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

/** `tiller vectors export`: one version as a file. */
export function addVectorsExport(group: Command, context: CliContext): void {
  const command = group
    .command('export')
    .description('Write a saved vector as a control vector (GGUF) or as safetensors.')
    .argument('<vector>', '[model@]name[:version]')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(vectorsExportSettings, flags, context.environment));
      const out = usage(command, () => required(settings.out, 'out', 'Say where to write: --out.'));
      const { exportStoredVector } = await import('../vectors/stored-vectors.ts');
      context.stdout.write(`${await exportStoredVector(config, reference, out)}\n`);
    });
  addSettings(command, { ...vectorsExportSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

/** `tiller vectors delete`: one version, or all of a name. */
export function addVectorsDelete(group: Command, context: CliContext): void {
  const command = group
    .command('delete')
    .description('Delete a version of a vector, or with its name alone all of them; their numbers are not given again.')
    .argument('<vector>', '[model@]name[:version]')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { deleteStoredVector } = await import('../vectors/stored-vectors.ts');
      const deleted = await deleteStoredVector(config, reference);
      context.stderr.write(`Deleted version${deleted.length === 1 ? '' : 's'} ${deleted.join(', ')}.\n`);
    });
  addSettings(command, pick(serveSettings, 'dataDir', 'logLevel'));
}

/** What a command cannot do without. */
export function required(value: string | null, param: string, message: string): string {
  if (value !== null) return value;
  throw new TillerError('invalid_request', message, { param });
}
