import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import type { ActivationsAnswerBody } from '../inspection/inspect-command.ts';
import { activationsSettings } from '../inspection-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

const examples = `
Examples:
  tiller activations "My cat chased the other cats."
  tiller activations "A text." "Another." --only 17-res-4k --rank-by mean --per-text 5
  tiller activations "A text." --only 17-res-4k/837 --json
  tiller activations "A text." --per-token 100 --out activations.safetensors`;

/** `tiller activations "text"…`: what features do on texts. */
export function addActivations(program: Command, context: CliContext): void {
  const command = program
    .command('activations')
    .description('Which features fire on texts: on each token, and over the whole.')
    .argument('<texts...>', 'what to read')
    .addHelpText('after', examples)
    .action(async (texts: string[], flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(activationsSettings, flags, context.environment));
      const outcome = await context.actions.runActivations(config, texts, settings);
      if ('file' in outcome) context.stdout.write(`${outcome.bytes} bytes written to ${outcome.file}\n`);
      else if (settings.json) context.stdout.write(`${JSON.stringify(outcome.answer, null, 2)}\n`);
      else context.stdout.write(`${activationsText(outcome.answer, settings.rankBy)}\n`);
    });
  addSettings(command, {
    ...activationsSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

type Ranking = 'max' | 'mean' | 'sum' | 'count' | 'last' | 'frequency';

function activationsText({ inputs }: ActivationsAnswerBody, rankBy: Ranking): string {
  return inputs.flatMap((input, i) => inputText(input, rankBy, inputs.length > 1 ? i : null)).join('\n');
}

/** Tokens down, sources across; then each source's features of the whole text. */
function inputText(
  { tokens, sources }: ActivationsAnswerBody['inputs'][number],
  rankBy: Ranking,
  number: number | null,
): string[] {
  const head = ['token', ...sources.map(({ source }) => source)];
  const rows = tokens.map(({ text, position }) => [
    JSON.stringify(text),
    ...sources.map(({ first_position, tokens: read, ignored_positions }) => {
      if (ignored_positions.includes(position)) return '(sink)';
      const features = read[position - (first_position ?? 0)] ?? [];
      return features.map(({ index, value }) => `${index}:${value.toFixed(2)}`).join(' ');
    }),
  ]);
  const ranked = sources.flatMap(({ source, features }) => [
    '',
    textTable([
      [source, rankBy, 'peak', 'label'],
      ...features.map((feature) => [
        String(feature.index),
        Number(feature[rankBy].toPrecision(4)).toString(),
        feature.position === null ? '' : JSON.stringify(tokens[feature.position]?.text ?? ''),
        feature.label ?? '',
      ]),
    ]),
  ]);
  return [
    ...(number === null ? [] : [`${number > 0 ? '\n' : ''}Text ${number + 1}`]),
    textTable([head, ...rows]),
    ...ranked,
  ];
}
