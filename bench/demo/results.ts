import { z } from 'zod';

/** What `bench/demo.ts` keeps. */
export const demoResults = z.object({
  model: z.string(),
  source: z.string(),
  settings: z.object({ maxTokens: z.number(), repetitionPenalty: z.number() }),
  prompts: z
    .array(
      z.object({
        prompt: z.string(),
        unsteered: z.string(),
        steered: z.array(z.object({ index: z.number(), label: z.string(), strength: z.number(), text: z.string() })),
      }),
    )
    .min(1),
});
export type DemoResults = z.infer<typeof demoResults>;

/** One table a prompt: the unsteered text, then what each feature makes of it. */
export function demoTable({ prompts }: DemoResults): string {
  return prompts
    .map(({ prompt, unsteered, steered }) => {
      const rows = [
        `| **${cell(prompt)}** | |`,
        '|---|---|',
        `| unsteered | ${cell(unsteered)} |`,
        ...steered.map(
          ({ index, label, strength, text }) => `| ${index} “${cell(label)}”, ${strength} | ${cell(text)} |`,
        ),
      ];
      return rows.join('\n');
    })
    .join('\n\n');
}

/** Text that stays in its cell and shows as it is. */
function cell(text: string): string {
  return text
    .trim()
    .replaceAll('\\', '\\\\')
    .replace(/[|*_<>`[\]]/g, (mark) => `\\${mark}`)
    .replace(/\s*\n\s*/g, ' ⏎ ');
}
