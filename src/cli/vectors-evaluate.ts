import type { Command } from 'commander';
import { z } from 'zod';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import { vectorsEvaluateSettings } from '../vector-settings.ts';
import { wrap } from './columns.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

const number = z.number().nullable();
/** What is shown of `POST /api/v1/vectors/{name}/evaluate`. */
const answerSchema = z.looseObject({
  vector: z.string(),
  control: z.looseObject({ perplexity: number }),
  doses: z.array(
    z.looseObject({
      strength: z.number(),
      perplexity_ratio: number,
      distinct_trigrams: number,
      relative_dose: number,
      effects: z.array(
        z.looseObject({ target: z.string(), mean: number, change: number, change_in_deviations: number }),
      ),
      broken: z.array(z.string()),
      samples: z.array(z.looseObject({ text: z.string() })).optional(),
    }),
  ),
  strongest_fluent: number,
  best: number,
});

/** `tiller vectors evaluate`: what a vector does and costs at several strengths. */
export function addVectorsEvaluate(group: Command, context: CliContext): void {
  const command = group
    .command('evaluate')
    .description('What a vector does to what is written, and what it costs in fluency, at several strengths.')
    .argument('<vector>', 'name or name:version')
    .action(async (reference: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(vectorsEvaluateSettings, flags, context.environment));
      const { strengths, prompt: prompts, words, json } = settings;
      const said = words?.split(',').map((word) => word.trim());
      const target = said ? { words: said } : { probe: { vector: reference } };
      const { askModel } = await import('../profiles/ask-model.ts');
      const path = `/api/v1/vectors/${encodeURIComponent(reference)}/evaluate`;
      const answer = await askModel(config, () => path, { strengths, prompts, seeds: [0, 1], targets: [target] });
      const columns = context.stdout.columns ?? 80;
      const text = json ? JSON.stringify(answer, null, 2) : evaluationText(answerSchema.parse(answer), columns);
      context.stdout.write(`${text}\n`);
    });
  addSettings(command, {
    ...vectorsEvaluateSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'maxRows', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

function evaluationText(answer: z.infer<typeof answerSchema>, columns: number): string {
  const short = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : String(Number(value.toPrecision(3)));
  const rows = answer.doses.map(({ strength, effects: [effect], ...dose }) => [
    short(strength),
    short(effect?.mean),
    short(effect?.change),
    short(effect?.change_in_deviations),
    short(dose.perplexity_ratio),
    short(dose.distinct_trigrams),
    short(dose.relative_dose),
    dose.broken.join('; ') || 'fluent',
  ]);
  const head = ['strength', 'score', 'change', 'in deviations', 'perplexity ratio', 'distinct', 'dose', 'fluency'];
  const best = answer.doses.find(({ strength }) => strength === (answer.best ?? answer.strongest_fluent));
  const sample = best?.samples?.[0];
  return [
    `${answer.vector}, unsteered perplexity ${short(answer.control.perplexity)}`,
    textTable([head, ...rows]),
    `Strongest fluent strength: ${answer.strongest_fluent ?? 'none'}; best: ${answer.best ?? 'none'}.`,
    ...(sample ? wrap(`At ${best?.strength}: ${sample.text}`, columns) : []),
  ].join('\n');
}
