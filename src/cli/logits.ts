import type { Command } from 'commander';
import type { LogProbabilityAnswer } from '../../routes/native/log-probability-schemas.ts';
import type { LogitsAnswer } from '../../routes/native/logits-schemas.ts';
import { editSettings, targetSettings } from '../command-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import type { LogitsCommand } from '../logits-command.ts';
import { logitsSettings } from '../logits-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { SettingValues } from '../setting.ts';
import type { CliContext } from './context.ts';
import { readEdits, recordEditFlags } from './edit-flags.ts';
import { renderLogits, renderScores } from './logits-text.ts';
import { addSettings, pick, usage } from './options.ts';

const examples = `
Examples:
  tiller logits "The capital of France is" --token " Paris"
  tiller logits "The capital of France is" --lens --top 3
  tiller logits "The capital of France is Paris." --score
  tiller logits "The capital of France is" --through 17-res-4k/837 --at all`;

/** `tiller logits "text"`: what comes next, what the stream says on its way, or how likely the text itself is. */
export function addLogits(program: Command, context: CliContext): void {
  const command = program
    .command('logits')
    .description('The logits of what follows a text, the logit lens, or how likely the text itself is.')
    .argument('<text>', 'what to read');
  addSettings(command, {
    ...logitsSettings,
    ...targetSettings,
    ...editSettings,
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
  command.addHelpText('after', examples).action(async (text: string, flags: Record<string, unknown>) => {
    const config = usage(command, () => loadConfig(flags, context.environment));
    const settings = usage(command, () => loadSettings(logitsSettings, flags, context.environment));
    const edits = usage(command, () => readEdits(typed, context.environment));
    const { runLogits } = await import('../logits-command.ts');
    const answer = await runLogits(config, { ...question(text, settings), edits, profile: config.profile });
    if (settings.json) context.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    else if (settings.score) context.stdout.write(`${renderScores(answer as LogProbabilityAnswer)}\n`);
    else context.stdout.write(`${renderLogits(answer as LogitsAnswer)}\n`);
  });
}

function question(
  text: string,
  { chat, at, top, token, lens, place, through, score }: SettingValues<typeof logitsSettings>,
): Pick<LogitsCommand, 'path' | 'body'> {
  const input = chat ? { messages: [{ role: 'user', content: text }] } : { text };
  if (score) return { path: '/api/v1/log-probabilities', body: input };
  const looks = lens || place.length > 0;
  return {
    path: '/api/v1/logits',
    body: {
      ...input,
      ...{ positions: at, top, tokens: token.map((word) => (/^id:\d+$/.test(word) ? Number(word.slice(3)) : word)) },
      ...(looks ? { lens: place.length > 0 ? { hook_points: place } : {} } : {}),
      ...(through.length > 0 ? { through: through.map(toDirection) } : {}),
    },
  };
}

function toDirection(name: string): object {
  const prefix = 'vector:';
  return name.startsWith(prefix) ? { vector: name.slice(prefix.length) } : { feature: name };
}
