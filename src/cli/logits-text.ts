import type { LogProbabilityAnswer } from '../../routes/native/log-probability-schemas.ts';
import type { LogitsAnswer } from '../../routes/native/logits-schemas.ts';
import { textTable } from './text-table.ts';

type Input = LogitsAnswer['inputs'][number];
type Position = Input['positions'][number];

/** For each position a table of its tokens; with a lens, a line for each place instead. */
export function renderLogits({ inputs }: LogitsAnswer): string {
  return inputs
    .flatMap((input) => [...input.positions.map((row) => renderPosition(input, row)), ...renderThrough(input)])
    .join('\n\n');
}

function renderPosition({ tokens, lens }: Input, own: Position): string {
  const title = `after ${JSON.stringify(tokens[own.position]?.text ?? '')}, position ${own.position}`;
  if (!lens)
    return `${title}\n${textTable([['token', 'id', 'logit', 'probability'], ...[...own.top, ...own.tokens].map(line)])}`;
  const rows = lens.map(({ hook_point, positions }) => {
    const there = positions.find(({ position }) => position === own.position);
    return [hook_point, ...[...(there?.top ?? []), ...(there?.tokens ?? [])].map(cell)];
  });
  return `${title}\n${textTable([...rows, ['the model', ...[...own.top, ...own.tokens].map(cell)]])}`;
}

function line({ token, id, logit, probability }: Position['top'][number]): string[] {
  return [JSON.stringify(token), String(id), logit.toFixed(3), percent(probability)];
}

function cell({ token, probability }: Position['top'][number]): string {
  return `${JSON.stringify(token)} ${percent(probability)}`;
}

function renderThrough({ through = [], tokens }: Input): string[] {
  return through.map(({ target, hook_point, top, bottom, positions, tokens: chosen }) => {
    const effects = (list: typeof top) =>
      list.map(({ token, effect }) => `${JSON.stringify(token)} ${effect.toFixed(3)}`).join('  ');
    const rows = positions.map(({ position, coefficient, scale, logits }) => [
      ...[String(position), JSON.stringify(tokens[position]?.text ?? ''), short(coefficient), short(scale)],
      ...logits.map((logit) => logit.toFixed(3)),
    ]);
    const head = ['position', 'token', 'coefficient', 'scale', ...chosen.map(({ token }) => JSON.stringify(token))];
    return [
      `${target} at ${hook_point}, what one unit of it writes`,
      `more: ${effects(top)}`,
      `less: ${effects(bottom)}`,
      textTable([head, ...rows]),
    ].join('\n');
  });
}

/** A line for each token, and below them the sums. */
export function renderScores({ inputs }: LogProbabilityAnswer): string {
  return inputs
    .map(({ tokens, sum, perplexity, counted, unsteered, kl }) => {
      const compared = unsteered !== undefined;
      const head = ['token', 'id', 'log-probability', 'rank', ...(compared ? ['unsteered', 'KL'] : [])];
      const rows = tokens.map((token) => [
        ...[JSON.stringify(token.text), String(token.id), fixed(token.logprob), String(token.rank ?? '')],
        ...(compared ? [fixed(token.unsteered_logprob), fixed(token.kl)] : []),
      ]);
      const lines = [`${counted} tokens: log-probability ${sum.toFixed(3)}, perplexity ${short(perplexity)}`];
      if (unsteered) lines.push(`unsteered: ${unsteered.sum.toFixed(3)}, perplexity ${short(unsteered.perplexity)}`);
      if (kl) lines.push(`KL(steered || unsteered): mean ${short(kl.mean)}, largest ${short(kl.max)}`);
      return [textTable([head, ...rows]), '', ...lines].join('\n');
    })
    .join('\n\n');
}

function fixed(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : value.toFixed(3);
}

function percent(probability: number): string {
  return `${(probability * 100).toPrecision(3)} %`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
