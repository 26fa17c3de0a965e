import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { TillerError } from '../../engine/index.ts';

const run = z.looseObject({
  top: z.array(z.looseObject({ token: z.string(), logprob: z.number() })),
  text: z.string(),
});

/** What the command reads of an answer of POST /api/v1/interventions. */
export const interventionsAnswer = z.looseObject({
  baseline: run,
  intervened: run,
  effects: z.array(z.looseObject({ token: z.string(), logit: z.number() })),
  interventions: z.array(
    z.looseObject({
      kind: z.string(),
      hook_point: z.string(),
      positions: z.array(z.number()),
      relative_change: z.number().nullable(),
    }),
  ),
});
export type InterventionsAnswer = z.infer<typeof interventionsAnswer>;

/** Both runs side by side, and what was done. */
export function interventionRows({ baseline, intervened, effects, interventions }: InterventionsAnswer): string[][] {
  const likeliest = ({ top }: z.infer<typeof run>) =>
    top
      .slice(0, 5)
      .map(({ token, logprob }) => `${JSON.stringify(token)} ${Math.exp(logprob).toFixed(3)}`)
      .join(', ');
  return [
    ...interventions.map(({ kind, hook_point, positions, relative_change }) => [
      kind,
      `${hook_point}, ${positions.length} positions, changed by ${relative_change?.toFixed(3) ?? '-'} of the norm`,
    ]),
    ['likeliest, as it is', likeliest(baseline)],
    ['with interventions', likeliest(intervened)],
    ...effects.map(({ token, logit }) => [
      `logit of ${JSON.stringify(token)}`,
      `${logit >= 0 ? '+' : ''}${logit.toFixed(3)}`,
    ]),
    ...(baseline.text === '' && intervened.text === ''
      ? []
      : [
          ['reply, as it is', baseline.text],
          ['with interventions', intervened.text],
        ]),
  ];
}

/** The list in a JSON file. Throws `invalid_request` where it is none. */
export async function readInterventions(path: string): Promise<readonly unknown[]> {
  const content = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  try {
    return z.array(z.unknown()).parse(JSON.parse(content));
  } catch (error) {
    throw new TillerError('invalid_request', `${path} is no JSON list of interventions.`, { cause: error });
  }
}
