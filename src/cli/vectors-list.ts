import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { vectorsSettings } from '../vector-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

/** `tiller vectors list`: every version of every model's vectors. */
export function addVectorsList(group: Command, context: CliContext): void {
  const command = group
    .command('list')
    .description('Saved vectors of all models, newest version first.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(vectorsSettings, flags, context.environment));
      const { listStoredVectors } = await import('../vectors/stored-vectors.ts');
      const found = (await listStoredVectors(config)).map(({ id: _id, addedAt, hookPoints, ...vector }) => ({
        ...vector,
        created: new Date(addedAt).toISOString(),
        hook_points: hookPoints,
      }));
      const rows = found.map(({ model, name, version, method, created, hook_points: places, description }) => [
        `${model}@${name}:${version}`,
        method,
        created,
        places.length === 1 ? (places[0] ?? '') : `${places.length} hook points`,
        description,
      ]);
      const head = ['vector', 'method', 'created', 'where', 'description'];
      const text = () => (rows.length === 0 ? 'None is saved.' : textTable([head, ...rows]));
      context.stdout.write(`${json ? JSON.stringify(found, null, 2) : text()}\n`);
    });
  addSettings(command, { ...vectorsSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

/** `tiller vectors show`: where one version has directions, how long they are, where it is from. */
export function addVectorsShow(group: Command, context: CliContext): void {
  const command = group
    .command('show')
    .description('Where a saved vector has directions, how long they are, and where it is from.')
    .argument('<vector>', '[model@]name[:version]')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(vectorsSettings, flags, context.environment));
      const { readStoredVector } = await import('../vectors/stored-vectors.ts');
      const { model, name, version, method, origin, description, addedAt, directions } = await readStoredVector(
        config,
        reference,
      );
      const created = new Date(addedAt).toISOString();
      const places = directions.map(({ hookPoint, values }) => ({
        hook_point: hookPoint,
        width: values.length,
        norm: Math.hypot(...values),
      }));
      const shown = { model, name, version, method, origin, description, created, directions: places };
      const rows = places.map((place) => [place.hook_point, String(place.width), place.norm.toPrecision(5)]);
      const about = `${model}@${name}:${version}, ${method}, saved ${created}`;
      const more = [description, origin ?? ''].filter((line) => line !== '');
      const text = [about, ...more, '', textTable([['hook point', 'width', 'length'], ...rows])].join('\n');
      context.stdout.write(`${json ? JSON.stringify(shown, null, 2) : text}\n`);
    });
  addSettings(command, { ...vectorsSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}
