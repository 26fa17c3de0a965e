import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, usage } from './options.ts';

/** `tiller serve`: the HTTP service. */
export function addServe(program: Command, context: CliContext): void {
  const command = program
    .command('serve')
    .description('Load a model and its sparse autoencoders and answer over HTTP.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      await context.actions.runServe(config);
    });
  addSettings(command, serveSettings);
  command.addHelpText(
    'after',
    '\nHF_TOKEN and HF_ENDPOINT are used for the Hugging Face Hub. The first start fetches the model (see tiller pull).',
  );
}
