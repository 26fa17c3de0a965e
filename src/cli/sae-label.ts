import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { labelSettings } from '../labelling-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

const notes = `
Begun again, it labels only what is missing. Without --endpoint labels only name tokens (method top-tokens).

Example:
  TILLER_LABELLER_KEY=... tiller sae label smollm2-135m-instruct/17-res-4k \\
    --endpoint https://example.com/v1 --labeller-model a-model --requests-per-minute 500 --features 0-99`;

/** `tiller sae label <source>`: labels features from their examples. */
export function addSaeLabel(sae: Command, context: CliContext): void {
  const command = sae
    .command('label')
    .description('Label features from their examples, through any OpenAI-compatible endpoint.')
    .argument('<source>', 'model/name, or the name alone')
    .addHelpText('after', notes)
    .action(async (source: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(labelSettings, flags, context.environment));
      context.stdout.write(`${await context.actions.runSaeLabel(config, source, settings)}\n`);
    });
  addSettings(command, { ...labelSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}
