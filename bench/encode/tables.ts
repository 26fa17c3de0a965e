import { machineLine, table, times } from '../markdown.ts';
import { median } from '../statistics.ts';
import { ratios } from './gates.ts';
import type { EncodeResults } from './results.ts';

/** Multiplications and additions that a dense product of these sizes takes, in billions. */
const products = (tokens: number, width: number, outputs: number) => (tokens * width * outputs) / 1e9;

export function encodeTable({ machine, settings, plain, encoders, product }: EncodeResults): string {
  const { tokens, width, rounds, threads } = settings;
  const milliseconds = (seconds: number) => (seconds * 1000).toFixed(0);
  const rows = encoders.map(({ title, outputs, seconds }) => {
    const added = median(seconds.map((value, round) => value - (plain[round] ?? Number.NaN)));
    return [
      title,
      milliseconds(median(seconds)),
      times(median(ratios(seconds, plain))),
      milliseconds(added),
      (products(tokens, width, outputs) / added).toFixed(0),
    ];
  });
  if (product) {
    const seconds = median(product.seconds);
    const title = `beside it: ONNX Runtime's float32 MatMul of ${tokens} × ${width} by ${width} × ${product.outputs.toLocaleString('en')} alone`;
    rows.push([
      title,
      milliseconds(seconds),
      '',
      milliseconds(seconds),
      (products(tokens, width, product.outputs) / seconds).toFixed(0),
    ]);
  }
  const head = [
    'read',
    'milliseconds',
    'over the plain prompt',
    'added',
    'billion multiply-adds a second of what is added',
  ];
  return [
    table(head, [['nothing', milliseconds(median(plain)), '1.00', '', ''], ...rows]),
    `${product ? `${overProduct(encoders, plain, product)} ` : ''}Medians of ${rounds} rounds, a prompt of ${tokens} tokens, ${threads} threads. The last column is what a plain product of the ` +
      `same sizes would have to reach to cost as much. ${machineLine(machine)}`,
  ].join('\n\n');
}

/** What the encoders of the product's size add, as multiples of it, round by round. */
function overProduct(
  encoders: EncodeResults['encoders'],
  plain: EncodeResults['plain'],
  { outputs, seconds: alone }: NonNullable<EncodeResults['product']>,
): string {
  const added = encoders
    .filter((encoder) => encoder.outputs === outputs)
    .map(({ title, seconds }) => {
      const rounds = seconds.map(
        (value, round) => (value - (plain[round] ?? Number.NaN)) / (alone[round] ?? Number.NaN),
      );
      return `${title}: ${times(median(rounds))}`;
    });
  return `Of what is added, over that plain product in the same round: ${added.join('; ')}.`;
}

/** The table of docs/encoding.md by the name in its markers. */
export function encodeTables(results: EncodeResults | null): ReadonlyMap<string, string> {
  return new Map([['encode', results === null ? 'Not measured yet: `npm run bench:encode`.' : encodeTable(results)]]);
}
