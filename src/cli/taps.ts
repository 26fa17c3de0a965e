import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { tapsSettings } from '../inspection-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

const examples = `
Examples:
  tiller taps "My cat chased the other cats." --hook-point blocks.12.hook_resid_post --positions last
  tiller taps "A text." "Another." --hook-point blocks.3.attn.hook_pattern --dtype f16 --out pattern.safetensors`;

/** `tiller taps "text"… --hook-point NAME`: the model's values as a safetensors file. */
export function addTaps(program: Command, context: CliContext): void {
  const command = program
    .command('taps')
    .description("Write the model's values at hook points to a safetensors file.")
    .argument('<texts...>', 'what to read')
    .addHelpText('after', examples)
    .action(async (texts: string[], flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => {
        const found = loadSettings(tapsSettings, flags, context.environment);
        if (found.hookPoint.length > 0) return found;
        throw new TillerError('invalid_request', 'Nothing to read: give --hook-point.');
      });
      const { file, bytes } = await context.actions.runTaps(config, texts, settings);
      context.stdout.write(`${bytes} bytes written to ${file}\n`);
    });
  addSettings(command, {
    ...tapsSettings,
    ...pick(serveSettings, 'model', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
