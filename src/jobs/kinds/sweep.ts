import { z } from 'zod';
import { generationPrompts } from '../../../routes/native/generation-prompts.ts';
import { sweepRowSchema, sweepSchema, toSteerings, toSweepRow } from '../../../routes/native/sweep-schemas.ts';
import { toSampling, toTargets } from '../../../routes/native/text-request.ts';
import { type SummedRow, sumUpSweep } from '../../evaluation/sweep-summary.ts';
import { itemOfEachInput, type JobInput, type JobWork, jobKind } from '../job-kind.ts';

/** Those of `POST /api/v1/sweeps`; the lines of the data set are its prompts. */
const parametersSchema = sweepSchema.omit({ model: true, prompts: true });
type Parameters = z.infer<typeof parametersSchema>;

const lineSchema = z.object({ rows: z.array(sweepRowSchema.omit({ steering: true })).optional() });

/** Edits that a steering of a sweep may have; the service's own limit holds when they are resolved. */
const mostEdits = 64;

/** A sweep over prompts of a data set, one prompt with all its steerings, strengths and seeds after another. */
export const sweepJob = jobKind({
  name: 'sweep',
  summary: 'Features or vectors × strengths × seeds for every prompt: texts and scores, and what each dose did.',
  parameters: parametersSchema,
  check(parameters, { service }) {
    // everything is looked up, nothing runs until rows are read
    service.evaluation.sweep(requestOf(parameters, [anyPrompt], new AbortController().signal));
  },
  open(parameters, run): JobWork {
    return {
      ...itemOfEachInput(run, async ({ service }, input) => {
        const prompts = await generationPrompts(service, [promptOf(input)], run.signal);
        const rows: object[] = [];
        for await (const row of service.evaluation.sweep(requestOf(parameters, prompts, run.signal)).rows) {
          rows.push(toSweepRow(row));
        }
        return { rows };
      }),
      async finish({ lines }) {
        const rows: SummedRow[] = [];
        for await (const line of lines()) rows.push(...(lineSchema.parse(line).rows ?? []));
        return sumUpSweep(
          rows,
          toTargets(parameters.targets).map(({ name }) => name),
        );
      },
    };
  },
});

/** Stands for those of the data set where only names are looked up. */
const anyPrompt = {
  tokenIds: Int32Array.of(0, 0),
  positions: () => ({
    promptLength: 2,
    assistantRanges: [],
    promptIsSpecial: new Uint8Array(2),
    specialTokenIds: new Set<number>(),
  }),
  param: 'inputs[0]',
};

function requestOf(
  parameters: Parameters,
  prompts: Awaited<ReturnType<typeof generationPrompts>>,
  signal: AbortSignal,
) {
  const { strengths, seeds, control, targets } = parameters;
  return {
    ...{ prompts, strengths, seeds, control, signal },
    sampling: toSampling(parameters),
    steerings: toSteerings(parameters, mostEdits),
    targets: toTargets(targets),
  };
}

function promptOf(input: JobInput) {
  return 'text' in input ? { text: input.text } : { messages: [...input.messages] };
}
