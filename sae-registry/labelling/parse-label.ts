import { z } from 'zod';
import { answerOf, jsonObjects } from './answer-text.ts';

/** Longer than this it is no label but a rambling. */
const longestLabel = 200;

const labelObject = z
  .union([
    z.object({ label: z.string() }).transform(({ label }) => label),
    z.object({ explanation: z.string() }).transform(({ explanation }) => explanation),
    z.object({ description: z.string() }).transform(({ description }) => description),
  ])
  .transform(tidy);

/** What models write in place of an answer. */
const refusal = /^(i['’]?m sorry|i am sorry|sorry,|i can(no|['’])?t|as an ai|unable to)\b/i;

/**
 * The label in a model's answer: of the JSON object that was asked for, also in a code fence or after thoughts, or a plain line.
 * Null where there is none: an empty answer, a refusal, a rambling.
 */
export function parseLabel(answer: string): string | null {
  const text = answerOf(answer);
  const objects = jsonObjects(text).flatMap((value) => labelObject.safeParse(value).data ?? []);
  const label = objects.at(-1) ?? (/[{}[\]]/.test(text) ? null : plainLabel(text));
  if (label === null || !/[\p{L}\p{N}\p{P}\p{S}]/u.test(label) || label.length > longestLabel || refusal.test(label))
    return null;
  return label;
}

/** The last line that is no introduction (`Here is the label:`), without its own `Label:`, quotes and bullets. */
function plainLabel(text: string): string | null {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.endsWith(':'));
  return lines.length === 0 || lines.length > 2 ? null : tidy(lines.at(-1) as string);
}

function tidy(label: string): string {
  return label
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(/^[-*•]\s+/, '')
    .replace(/^\**(label|explanation|description)\**\s*:\s*\**/i, '')
    .replace(/^(?:"([^"]*)"|“([^”]*)”|`([^`]*)`|'([^']*)')\.?$/, '$1$2$3$4')
    .replace(/(?<![.])\.$/, '')
    .trim();
}
