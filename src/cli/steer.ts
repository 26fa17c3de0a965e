import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { editSettings, ruleSettings, steerSettings, targetSettings } from '../command-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { readEdits, recordEditFlags } from './edit-flags.ts';
import { addSettings, pick, usage } from './options.ts';
import { readRules } from './rules-file.ts';
import { renderSteering, steeringJson } from './steer-text.ts';

const examples = `
Each --feature or --vector begins an edit; the flags after it belong to it, those before the first hold for all.

Examples:
  tiller steer "Tell me about your day." --feature smollm2-135m-instruct/17-res-4k/837 --strength 1.5
  tiller steer "Who are you?" --feature 17-res-4k/307 --strength 2 --vector blocks.12.hook_resid_post=direction.f32 --mode ablate
  tiller steer "Tell me about your day." --rules rules.json   # {"rules": [{"when": {"feature": "17-res-4k/837", "above": 0.3}, "do": [...]}]}`;

/** `tiller steer "prompt"`: one reply without and one with the edits, side by side. */
export function addSteer(program: Command, context: CliContext): void {
  const command = program
    .command('steer')
    .description('Answer a prompt twice, unsteered and steered, and show both side by side.')
    .argument('<prompt>', 'what to answer');
  addSettings(command, {
    ...targetSettings,
    ...editSettings,
    ...ruleSettings,
    ...steerSettings,
    ...pick(
      serveSettings,
      'model',
      'source',
      'profile',
      'threads',
      'context',
      'cacheDir',
      'dataDir',
      'offline',
      'logLevel',
    ),
  });
  const typed = recordEditFlags(command);
  command.addHelpText('after', examples).action(async (prompt: string, flags: Record<string, unknown>) => {
    const config = usage(command, () => loadConfig(flags, context.environment));
    const settings = usage(command, () => loadSettings(steerSettings, flags, context.environment));
    const rules = usage(command, () => readRules(loadSettings(ruleSettings, flags, context.environment).rules));
    const edits = usage(command, () => {
      const found = readEdits(typed, context.environment);
      if (found.length + rules.length > 0 || config.profile !== null) return found;
      throw new TillerError('invalid_request', 'Nothing to steer by: give --feature, --vector, --rules or --profile.');
    });
    const { maxTokens, seed, temperature, repetitionPenalty } = settings;
    const request = { prompt, edits, rules, profile: config.profile, maxTokens, seed, temperature, repetitionPenalty };
    const result = await context.actions.runSteer(config, request);
    const columns = context.stdout.columns ?? 80;
    const text = settings.json ? steeringJson(request, result) : renderSteering(request, result, columns);
    context.stdout.write(`${text}\n`);
  });
}
