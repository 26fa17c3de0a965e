import { answerOf, jsonLists } from './answer-text.ts';

/**
 * The judgements in an answer, one for each of `count` trials. Null where the answer is not exactly that many clear ones: a guess
 * would count as right or wrong.
 */
export function parseJudgements(answer: string, count: number): readonly boolean[] | null {
  const text = answerOf(answer);
  const lists = jsonLists(text).flatMap((list) => {
    const judged = Array.isArray(list) ? list.map(judgement) : [];
    return judged.length > 0 && !judged.includes(null) ? [judged as boolean[]] : [];
  });
  // Who thinks aloud may write an example first: the last list is the answer.
  const last = lists.at(-1);
  if (last) return last.length === count ? last : null;
  return numberedLines(text, count) ?? bareNumbers(text, count);
}

function judgement(value: unknown): boolean | null {
  if (value === 1 || value === true) return true;
  if (value === 0 || value === false) return false;
  return typeof value === 'string' ? word(value) : null;
}

function word(text: string): boolean | null {
  const plain = text
    .trim()
    .toLowerCase()
    .replace(/[.,;]$/, '');
  if (['1', 'yes', 'true'].includes(plain)) return true;
  return ['0', 'no', 'false'].includes(plain) ? false : null;
}

/** `1. yes`, `2: 0`: each number once, in order, and nothing else on the line. */
function numberedLines(text: string, count: number): readonly boolean[] | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length !== count) return null;
  const judged = lines.map((line, i) => {
    const [, number, said = ''] = /^\s*(\d+)\s*[.):-]\s*(\S+)\s*$/.exec(line) ?? [];
    return Number(number) === i + 1 ? word(said) : null;
  });
  return judged.includes(null) ? null : (judged as boolean[]);
}

/** `1, 0, 1` and `1 0 1`. */
function bareNumbers(text: string, count: number): readonly boolean[] | null {
  const said = text.split(/[\s,]+/).filter((part) => part !== '');
  if (said.length !== count || said.some((part) => !/^[01]$/.test(part))) return null;
  return said.map((part) => part === '1');
}
