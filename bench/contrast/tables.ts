import { machineLine, table, times } from '../markdown.ts';
import type { ContrastResults } from './results.ts';

const interval = ({ auroc, low, high }: { readonly auroc: number; readonly low: number; readonly high: number }) =>
  `${auroc.toFixed(4)} (${low.toFixed(4)}–${high.toFixed(4)})`;

function heldOutTable({ sets, settings, machine }: ContrastResults): string {
  const rows = sets.flatMap(({ name, bagOfWords, methods }) => [
    [`${name}: bag of words`, '', interval(bagOfWords), '', ''],
    ...methods.map(({ method, hookPoint, heldOut, effectSize, norm, relativeNorm }) => [
      `${name}: ${method}`,
      hookPoint,
      interval(heldOut),
      effectSize.toFixed(2),
      relativeNorm === null ? norm.toFixed(1) : relativeNorm.toFixed(3),
    ]),
  ]);
  const sizes = sets.map(
    ({ name, pairs, topics, tokens }) => `${name}: ${pairs} pairs, ${topics} topics, ${tokens} tokens`,
  );
  return [
    table(['', 'hook point', 'held-out AUROC (95 %)', 'effect size', 'norm / stream norm'], rows),
    `${sizes.join('; ')}. Topics held out whole, ${settings.folds} folds, positions \`${settings.positions}\`; ${settings.model}. ${machineLine(machine)}`,
  ].join('\n\n');
}

function steeringTable({ sets, settings }: ContrastResults): string {
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
  const rows = sets.map(({ name, fresh }) =>
    fresh === null
      ? [name, 'none was fluent', '', '', '']
      : [
          name,
          `${fresh.strength < 0 ? '−' : '+'}${Math.abs(fresh.strength)}`,
          `${signed(fresh.change)} ± ${fresh.standardErrorInDeviations.toFixed(2)}`,
          times(fresh.perplexityRatio),
          signed(fresh.controlChange),
        ],
  );
  const quotes = sets.flatMap(({ name, fresh }) =>
    fresh === null
      ? []
      : [
          `**${name}**, unsteered: ${quoted(fresh.unsteeredText)}  \n**${name}**, steered: ${quoted(fresh.steeredText)}`,
        ],
  );
  return [
    table(['', 'chosen strength', 'probe, deviations', 'perplexity ratio', 'probe, unsteered again'], rows),
    `The strength was chosen on other seeds; ${settings.prompts} prompts × ${settings.seeds} seeds of ${settings.maxTokens} tokens, temperature ${settings.temperature}.`,
    ...quotes,
  ].join('\n\n');
}

const quoted = (text: string) => `“${text.replace(/\s+/g, ' ').trim().slice(0, 240)}…”`;

/** The tables of docs/contrast.md by the name in their markers. */
export function contrastTables(results: ContrastResults | null): ReadonlyMap<string, string> {
  const missing = 'Not measured yet: `npm run bench:contrast`.';
  return new Map([
    ['contrast-held-out', results === null ? missing : heldOutTable(results)],
    ['contrast-steering', results === null ? missing : steeringTable(results)],
  ]);
}
