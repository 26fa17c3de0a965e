import { z } from 'zod';

/** What the command reads of an answer of POST /api/v1/activation-patching. */
export const patchingAnswer = z.looseObject({
  hook_points: z.array(z.string()),
  positions: z.array(z.number()),
  corrupted_tokens: z.array(z.looseObject({ token: z.string() })),
  metric: z.object({ clean: z.number(), corrupted: z.number() }),
  effect: z.array(z.array(z.number())),
  normalised: z.array(z.array(z.number())).nullable(),
});
export type PatchingAnswer = z.infer<typeof patchingAnswer>;

/** A column a position: the effect as a part of clean less corrupted, or where these are equal, as it is. */
export function patchRows(answer: PatchingAnswer): string[][] {
  const { hook_points, positions, corrupted_tokens, normalised, effect } = answer;
  const head = positions.map((position) => `${position}:${JSON.stringify(corrupted_tokens[position]?.token ?? '')}`);
  const rows = (normalised ?? effect).map((row, at) => [
    hook_points[at] ?? '',
    ...row.map((value) => value.toFixed(2)),
  ]);
  return [['', ...head], ...rows];
}
