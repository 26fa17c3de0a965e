import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { vectorsCombineSettings } from '../vector-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { required } from './vectors-files.ts';

/** `tiller vectors combine`: a sum of scaled vectors as the next version of a name. */
export function addVectorsCombine(group: Command, context: CliContext): void {
  const command = group
    .command('combine')
    .description('Save a sum of vectors and features, made orthogonal to others where that is asked for.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(vectorsCombineSettings, flags, context.environment));
      const body = usage(command, () => {
        const { term, orthogonalTo, unit, description } = settings;
        if (term.length === 0) {
          throw new TillerError('invalid_request', 'Nothing to add up: give --term.', { param: 'term' });
        }
        return {
          name: required(settings.name, 'name', 'Say what to call it: --name.'),
          description,
          terms: term.map((text) => ({ ...toTerm(text), ...(unit ? { unit } : {}) })),
          orthogonal_to: orthogonalTo.map(toReference),
          unit,
        };
      });
      const { saveOverModel } = await import('../profiles/ask-model.ts');
      const saved = await saveOverModel(config, () => '/api/v1/vectors/combine', body);
      context.stdout.write(`${saved.model}@${saved.name}:${saved.version}\n`);
    });
  addSettings(command, {
    ...vectorsCombineSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

/** `name` or `name=scale`. */
function toTerm(text: string) {
  const [name = '', number] = text.split('=');
  const scale = number === undefined ? 1 : Number(number || Number.NaN);
  if (name !== '' && Number.isFinite(scale)) return { ...toReference(name), scale };
  throw new TillerError('invalid_request', `'${text}' is no term: write NAME or NAME=SCALE.`, { param: 'term' });
}

/** Names of vectors have no slash, ids of features do. */
export function toReference(name: string) {
  return name.includes('/') ? { feature: name } : { vector: name };
}
