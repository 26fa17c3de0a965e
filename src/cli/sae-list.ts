import { type Command, Option } from 'commander';
import type { CatalogRelease } from '../../sae-registry/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import type { ListedSource } from '../sae/list.ts';
import { saeSettings } from '../sae-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

/** `tiller sae list`: what is here, or what the catalog knows. */
export function addSaeList(group: Command, context: CliContext): void {
  const command = group
    .command('list')
    .description('Dictionaries on this machine; with --catalog published ones, none of which is looked at.')
    .argument('[words...]', 'with --catalog: words of a release, model, format, hook point or width')
    .addOption(new Option('--catalog', 'search the catalog of published releases instead'))
    .action(async (words: readonly string[], flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(saeSettings, flags, context.environment));
      if (flags.catalog !== true && words.length > 0) {
        command.error('tiller: words search the catalog: add --catalog.', { code: 'tiller.usage', exitCode: 2 });
      }
      const print = (value: readonly unknown[], text: () => string) =>
        context.stdout.write(`${json ? JSON.stringify(value, null, 2) : text()}\n`);
      if (flags.catalog === true) {
        const { searchCatalog } = await import('../../sae-registry/index.ts');
        const found = searchCatalog(words.join(' '));
        return void print(found, () => catalogText(found));
      }
      const { listKnownSources } = await import('../sae/list.ts');
      const found = await listKnownSources(config);
      return void print(found, () => sourcesText(found));
    });
  addSettings(command, { ...saeSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function sourcesText(found: readonly ListedSource[]): string {
  const rows = found.map(({ id, state, hookPoint, features, activation, origin, path }) => [
    id,
    state,
    hookPoint ?? 'not opened yet',
    features === null ? '' : `${features}`,
    activation ?? '',
    origin ?? path ?? '',
  ]);
  return textTable([['source', 'state', 'hook point', 'features', 'activation', 'from'], ...rows]);
}

function catalogText(found: readonly CatalogRelease[]): string {
  if (found.length === 0) return 'The catalog has nothing like that.';
  const rows = found.map((release) => [
    release.release,
    release.model,
    release.unsupported === undefined ? release.format : 'not read yet',
    layersText(release.layers),
    release.widths.join(' '),
    `${release.dictionaries}`,
    release.licence,
    `${release.release}/${release.examples[0] ?? Object.keys(release.paths ?? {})[0] ?? ''}`,
  ]);
  const heading = ['release', 'model', 'format', 'layers', 'widths', 'dictionaries', 'licence', 'add as'];
  return textTable([heading, ...rows]);
}

/** `0-25`, `9 20 31` */
function layersText(layers: readonly number[]): string {
  const [first, last] = [layers[0], layers.at(-1)];
  if (first === undefined || last === undefined) return 'not confirmed';
  const whole = layers.length === last - first + 1;
  return whole && layers.length > 2 ? `${first}-${last}` : layers.length > 6 ? `${first} … ${last}` : layers.join(' ');
}
