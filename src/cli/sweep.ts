import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import type { SweepAnswer } from '../evaluation/sweep-command.ts';
import type { sumUpSweep } from '../evaluation/sweep-summary.ts';
import { serveSettings } from '../serve-settings.ts';
import { sweepSettings } from '../sweep-settings.ts';
import { cellWidth, printable } from './columns.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { short, shortened } from './short.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

const examples = `
Examples:
  tiller sweep --feature 17-res-4k/837 --strengths 0.5,1,1.5 --words God,heaven
  tiller sweep --vector pirate --vector formal --prompt "Who are you?" --seeds 1,2,3 --json`;

/** `tiller sweep`: texts under every steering, strength, prompt and seed. */
export function addSweep(program: Command, context: CliContext): void {
  const command = program
    .command('sweep')
    .description('Answer prompts under every feature or vector at every strength and seed, as a table.')
    .addHelpText('after', examples)
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(sweepSettings, flags, context.environment));
      const { runSweep, sweepBody } = await import('../evaluation/sweep-command.ts');
      const { sumUpSweep } = await import('../evaluation/sweep-summary.ts');
      const body = usage(command, () => sweepBody(settings));
      const answer = await withInterrupt(context, (signal, display) => runSweep(config, body, { ...display, signal }));
      const { steerings } = sumUpSweep(answer.rows, answer.targets);
      const { columns } = context.stdout;
      const text = () => sweepText(answer, steerings, settings.prompt, columns ?? null);
      context.stdout.write(`${settings.json ? JSON.stringify({ ...answer, steerings }, null, 2) : text()}\n`);
    });
  addSettings(command, {
    ...sweepSettings,
    ...pick(
      serveSettings,
      ...(['model', 'source', 'threads', 'maxRows', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'] as const),
    ),
  });
}

/** What each dose did, and every text; `columns` is the terminal's width, null where texts are not to be cut. */
function sweepText(
  { model, targets, texts, rows }: SweepAnswer,
  steerings: ReturnType<typeof sumUpSweep>['steerings'],
  prompts: readonly string[],
  columns: number | null,
): string {
  const doses = steerings.flatMap(({ name, doses = [] }) =>
    doses.map((dose) => [
      ...[name, short(dose.strength), short(dose.perplexity_ratio), dose.fluent ? 'yes' : 'no'],
      ...dose.changes.map(({ change }) => short(change)),
    ]),
  );
  const changes = targets.map((target) => `change of ${target}`);
  const figures = rows.map((row) => [
    ...[row.name ?? 'unsteered', short(row.strength), String(row.prompt), String(row.seed)],
    ...row.scores.map(short),
    ...[short(row.perplexity), short(row.distinct_trigrams), short(row.relative_dose)],
  ]);
  const head = ['steering', 'strength', 'prompt', 'seed', ...targets, 'perplexity', 'distinct', 'dose'];
  const table = textTable([head, ...figures]).split('\n');
  const width = Math.max(...table.map(cellWidth)) + 2;
  const told = table.map((line, at) => {
    const row = rows[at - 1];
    const text = row ? printable(row.text).replace(/\s+/g, ' ').trim() : 'text';
    const shown = columns === null ? text : shortened(text, Math.max(20, columns - width));
    return `${line}${' '.repeat(width - cellWidth(line))}${shown}`.trimEnd();
  });
  return [
    `${model}: ${texts} texts`,
    prompts.map((prompt, at) => `prompt ${at}: ${printable(prompt)}`).join('\n'),
    textTable([['steering', 'strength', 'perplexity ratio', 'fluent', ...changes], ...doses]),
    told.join('\n'),
  ].join('\n\n');
}
