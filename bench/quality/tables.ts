import { machineLine, percent, table } from '../markdown.ts';
import type { QualityResults } from './results.ts';

type Precision = QualityResults['precisions'][number];

/** The tables of docs/precisions.md by the name in their markers. */
export function qualityTables(results: QualityResults): ReadonlyMap<string, string> {
  return new Map([
    ['quality-predictions', predictionsTable(results)],
    ['quality-features', featuresTable(results)],
  ]);
}

/** One line a figure, one column a precision. */
function sideBySide(
  { precisions }: QualityResults,
  lines: readonly (readonly [string, (precision: Precision) => string])[],
): string {
  const head = ['', ...precisions.map(({ precision }) => precision)];
  return table(
    head,
    lines.map(([name, cell]) => [name, ...precisions.map(cell)]),
  );
}

function predictionsTable(results: QualityResults): string {
  const { settings, precisions, machine } = results;
  const reference = precisions.find(({ precision }) => precision === 'f32')?.prompt.perplexity;
  const change = ({ prompt }: Precision) =>
    reference === undefined ? '' : ` (${signedPercent(prompt.perplexity / reference - 1)})`;
  const lines: [string, (precision: Precision) => string][] = [
    ['perplexity (against f32)', (entry) => entry.prompt.perplexity.toFixed(3) + change(entry)],
    ['KL from f32, mean, nats per token', ({ prompt }) => small(prompt.divergence.mean)],
    ['KL from f32, p99', ({ prompt }) => small(prompt.divergence.p99)],
    ['KL from f32, largest', ({ prompt }) => small(prompt.divergence.max)],
    ['same likeliest token as f32', ({ prompt }) => agreement(prompt.topAgreement)],
    ['one token a step: KL from f32, mean', ({ oneByOne }) => small(oneByOne.divergence.mean)],
    ['one token a step: KL from prompt steps of the same precision', ({ ownPath }) => small(ownPath.divergence.mean)],
    ['one token a step: same likeliest token as f32', ({ oneByOne }) => agreement(oneByOne.topAgreement)],
  ];
  const [first] = precisions;
  return [
    sideBySide(results, lines),
    `${count(first?.prompt.tokens ?? 0)} predictions of \`bench/texts/${settings.text}\` in ${settings.windows} windows of ${count(settings.windowTokens)} tokens, each begun with \`${settings.firstToken}\` and nothing before it; the lines of one token a step are the first ${first?.oneByOne.tokens ?? 0} of them. ${settings.model}. ${machineLine(machine)}`,
  ].join('\n\n');
}

function featuresTable(results: QualityResults): string {
  const { source } = results;
  const lines: [string, (precision: Precision) => string][] = [
    ['features that fire at a position, mean', ({ features }) => features.firing.toFixed(2)],
    ['of those of f32, also fire here (recall)', ({ features }) => agreement(features.recall)],
    ['of those here, also fire in f32 (precision)', ({ features }) => agreement(features.precision)],
    ['fire in both, of those in either (Jaccard)', ({ features }) => agreement(features.jaccard)],
    ['the same, weighted by activation', ({ features }) => agreement(features.weightedJaccard)],
    ['error of an activation, median', ({ features }) => agreement(features.relativeError.median)],
    ['error of an activation, p99', ({ features }) => agreement(features.relativeError.p99)],
    ['error of the stream, median', ({ stream }) => agreement(stream.relativeError.median)],
    ['cosine to the stream of f32, median', ({ stream }) => stream.cosine.median.toFixed(5)],
    ['cosine to the stream of f32, least', ({ stream }) => stream.cosine.least.toFixed(5)],
  ];
  return [
    sideBySide(results, lines),
    `\`${source.id}\`, ${count(source.features)} features at \`${source.hookPoint}\`, ${count(source.positions)} positions of the same text: neither a window's first nor an attention sink. Errors are relative to f32: of an activation over features that fire in both, of the stream ‖x − x of f32‖ / ‖x of f32‖.`,
  ].join('\n\n');
}

/** Two digits however small; nought stays nought. */
const small = (value: number) => (value === 0 ? '0' : value < 0.001 ? value.toExponential(1) : value.toPrecision(2));
const agreement = (share: number) => (share === 0 || share === 1 ? percent(share) : `${(share * 100).toFixed(2)} %`);
const signedPercent = (share: number) => `${share < 0 ? '−' : '+'}${Math.abs(share * 100).toFixed(2)} %`;
const count = (value: number) => value.toLocaleString('en-US');
