import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import type { AutoConditionalAnswer } from '../auto-steer/auto-steer-command.ts';
import { autoConditionalSettings } from '../auto-steer-settings.ts';
import { editSettings, targetSettings } from '../command-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { printable, wrap } from './columns.ts';
import type { CliContext } from './context.ts';
import { readEdits, recordEditFlags } from './edit-flags.ts';
import { addSettings, pick, usage } from './options.ts';
import { withoutNumbers } from './short.ts';
import { textTable } from './text-table.ts';
import { required } from './vectors-files.ts';
import { withInterrupt } from './with-interrupt.ts';

const examples = `
Example:
  tiller auto-conditional --positive recipes.txt --negative others.txt --vector pirate --strength 0.3 --save recipes`;

/** `tiller auto-conditional`: from examples of prompts to a rule. */
export function addAutoConditional(program: Command, context: CliContext): void {
  const command = program
    .command('auto-conditional')
    .description('From examples of prompts to a rule that steers on such prompts alone, run on held-out ones.');
  addSettings(command, {
    ...autoConditionalSettings,
    ...targetSettings,
    ...editSettings,
    ...pick(
      serveSettings,
      ...(['model', 'source', 'threads', 'maxRows', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'] as const),
    ),
  });
  const typed = recordEditFlags(command);
  command.addHelpText('after', examples).action(async (flags: Record<string, unknown>) => {
    const config = usage(command, () => loadConfig(flags, context.environment));
    const request = usage(command, () => {
      const settings = loadSettings(autoConditionalSettings, flags, context.environment);
      const edits = readEdits(typed, context.environment);
      if (edits.length === 0) {
        const message = 'Nothing is to be done: give --feature or --vector.';
        throw new TillerError('invalid_request', message, { param: 'feature' });
      }
      const positive = required(settings.positive, 'positive', 'Say which prompts it is for: --positive.');
      const negative = required(settings.negative, 'negative', 'Say which prompts it is not for: --negative.');
      return { ...settings, positive, negative, edits };
    });
    const { runAutoConditional } = await import('../auto-steer/auto-steer-command.ts');
    const answer = await withInterrupt(context, (signal, display) =>
      runAutoConditional(config, request, { ...display, signal }),
    );
    const columns = context.stdout.columns ?? 80;
    context.stdout.write(`${request.json ? JSON.stringify(answer, null, 2) : conditionText(answer, columns)}\n`);
  });
}

/** The verdict first, then how it was measured, and the rule. */
export function conditionText(
  { model, verdict, steering, contrast, measured }: AutoConditionalAnswer,
  columns: number,
) {
  const { saved } = contrast;
  const rows = [
    ['held-out prompts of the kind', `fires on ${measured.hits} of ${measured.positive}`],
    ['others', `fires on ${measured.false_alarms} of ${measured.negative}`],
    ['hook point', contrast.hook_point],
    ['AUROC on folds of the rest', contrast.held_out.auroc.toFixed(4)],
    ['AUROC of words alone', contrast.bag_of_words.auroc.toFixed(4)],
    ...(saved === null ? [] : [['saved', `${saved.name}:${saved.version}`]]),
  ];
  return [
    ...wrap(`${model}: ${printable(verdict)}`, columns),
    '',
    textTable(rows),
    '',
    `steering: ${JSON.stringify(withoutNumbers(steering))}`,
    ...(saved === null ? ["(--json has the vector's numbers; --save keeps them under a name)"] : []),
  ].join('\n');
}
