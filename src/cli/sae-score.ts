import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { scoreSettings } from '../labelling-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

const notes = `
Begun again, it scores only what is missing. docs/labelling.md says what the scores mean.

Example:
  tiller sae score smollm2-135m-instruct/17-res-4k --label-author somebody \\
    --endpoint http://127.0.0.1:8080/v1 --labeller-model a-model --limit 100`;

/** `tiller sae score <source>`: how well labels tell where their features fire. */
export function addSaeScore(sae: Command, context: CliContext): void {
  const command = sae
    .command('score')
    .description('Score labels by detection and fuzzing, through any OpenAI-compatible endpoint.')
    .argument('<source>', 'model/name, or the name alone')
    .addHelpText('after', notes)
    .action(async (source: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(scoreSettings, flags, context.environment));
      context.stdout.write(`${await context.actions.runSaeScore(config, source, settings)}\n`);
    });
  addSettings(command, { ...scoreSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}
