import type { Command } from 'commander';
import type { AutoSteerAnswer } from '../auto-steer/auto-steer-command.ts';
import { autoSteerSettings } from '../auto-steer-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { printable, wrap } from './columns.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { short, withoutNumbers } from './short.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

const examples = `
Examples:
  tiller auto-steer "talk like a pirate" --words ahoy,matey,aye --save pirate
  tiller auto-steer "talk like a pirate" --pairs pirate.jsonl --features 4`;

/** `tiller auto-steer "description"`: from a description to edits that were measured. */
export function addAutoSteer(program: Command, context: CliContext): void {
  const command = program
    .command('auto-steer')
    .description(
      'Look for a steering that does what a description says: edits, doses, their cost, and what asking does.',
    )
    .argument('<specification>', 'what is wanted, as a system prompt would ask for it: "talk like a pirate"')
    .addHelpText('after', examples)
    .action(async (specification: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(autoSteerSettings, flags, context.environment));
      const { runAutoSteer } = await import('../auto-steer/auto-steer-command.ts');
      const answer = await withInterrupt(context, (signal, display) =>
        runAutoSteer(config, specification, settings, { ...display, signal }),
      );
      const columns = context.stdout.columns ?? 80;
      context.stdout.write(`${settings.json ? JSON.stringify(answer, null, 2) : autoSteerText(answer, columns)}\n`);
    });
  addSettings(command, {
    ...autoSteerSettings,
    ...pick(
      serveSettings,
      ...(['model', 'source', 'threads', 'maxRows', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'] as const),
    ),
  });
}

/** The verdict first, then the edits, every dose that was tried beside asking, and what both wrote. */
export function autoSteerText(answer: AutoSteerAnswer, columns: number): string {
  const { model, specification, verdict, chosen, prompted, pairs, contrast, candidates } = answer;
  const saved = contrast.saved && `${contrast.saved.name}:${contrast.saved.version}`;
  const by = pairs.by === 'model' ? 'written by the model' : 'of yours';
  const about = [
    ['pairs', `${pairs.count}, ${by}`],
    ['hook point', contrast.hook_point],
    ['held-out AUROC', contrast.held_out.auroc.toFixed(4)],
    ['AUROC of words alone', contrast.bag_of_words.auroc.toFixed(4)],
    ...(saved === null ? [] : [['saved', saved]]),
  ];
  const looked = candidates.map(({ name, label, input_score, output_score, evaluation }) => [
    ...[name, short(input_score), short(output_score), evaluation === null ? 'no' : 'yes', label ?? ''],
  ]);
  const targets = prompted.effects.map(({ target }) => target);
  const figures = (point: Point) => [
    ...point.effects.flatMap(({ change, change_in_deviations }) => [short(change), short(change_in_deviations)]),
    ...[short(point.perplexity_ratio), short(point.distinct_trigrams), short(point.relative_dose)],
    point.broken.join('; ') || 'fluent',
  ];
  const doses = candidates.flatMap(({ name, evaluation }) =>
    (evaluation?.doses ?? []).map((dose) => [
      `${chosen?.candidate === name && chosen.strength === dose.strength ? '* ' : ''}${name}`,
      ...[short(dose.strength), ...figures(dose)],
    ]),
  );
  const head = targets.flatMap((target) => [`change of ${target}`, 'in deviations']);
  return [
    ...wrap(`${model}, "${printable(specification)}"`, columns),
    '',
    ...wrap(printable(verdict), columns),
    '',
    ...(chosen === null
      ? []
      : [`edits: ${JSON.stringify(withoutNumbers(chosen.steering.edits))}`, ...keptWhere(saved), '']),
    textTable(about),
    '',
    textTable([['candidate', 'reads (AUROC)', 'writes (nats a token)', 'tried', 'label'], ...looked]),
    '',
    textTable([
      ['steering', 'strength', ...head, 'perplexity ratio', 'distinct', 'dose', 'fluency'],
      ...doses,
      ['asking', '', ...figures(prompted)],
    ]),
    ...samples(answer, columns),
  ].join('\n');
}

type Point = Omit<AutoSteerAnswer['prompted'], 'samples' | 'strength'>;

/** The edits are shown without the vector's numbers, where they have any. */
function keptWhere(saved: string | null): string[] {
  return saved === null ? ["(--json has a vector's numbers; --save keeps them under a name)"] : [];
}

/** A reply of the chosen dose, or of the best that there was, beside those of asking and of neither. */
function samples({ chosen, prompted, candidates }: AutoSteerAnswer, columns: number): string[] {
  const steered = candidates.find(({ name }) => name === chosen?.candidate)?.evaluation;
  const some = steered ?? candidates.find(({ evaluation }) => evaluation !== null)?.evaluation;
  const dose = steered?.doses.find(({ strength }) => strength === chosen?.strength);
  const replies = [
    ['unsteered', some?.control.samples?.[0]?.text],
    ['steered', dose?.samples?.[0]?.text],
    ['asked', prompted.samples?.[0]?.text],
  ] as const;
  return replies.flatMap(([title, text]) => (text === undefined ? [] : ['', title, ...wrap(text, columns)]));
}
