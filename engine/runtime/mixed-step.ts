import {
  concatenateActivations,
  type EditReading,
  type LogitsRow,
  type Replacement,
  type RowResult,
  type RowStep,
  type SparseActivations,
} from '../core/index.ts';

/**
 * The rows of a mixed step as a graph takes them: one token each, those of the prompt behind each other in one slot. Attention puts them
 * together again (engine/kernels/attention.cpp); everything else works token by token anyway.
 */
export function splitTokens(rows: readonly RowStep[]): readonly RowStep[] {
  return rows.flatMap((row) => (row.tokens.length === 1 ? [row] : Array.from(row.tokens, (_, t) => tokenOf(row, t))));
}

function tokenOf(row: RowStep, token: number): RowStep {
  const { tokens, start, edits, replacements, entry } = row;
  const { chosen: _, ...whole } = row;
  return {
    ...whole,
    tokens: tokens.subarray(token, token + 1),
    start: start + token,
    logits: logitsOf(row, token),
    edits: edits.map(({ edit, mask }) => ({ edit, mask: mask[token] === 1 ? touched : left })),
    ...(replacements ? { replacements: replacements.map((each) => replacementOf(each, token)) } : {}),
    ...(entry ? { entry: { block: entry.block, stream: tokenPart(entry.stream, tokens.length, token) } } : {}),
  };
}

function logitsOf(row: RowStep, token: number): RowStep['logits'] {
  const { logits, tokens, chosen } = row;
  if (logits === 'chosen') return chosen?.[token] === 1 ? 'last' : 'none';
  return logits === 'last' && token < tokens.length - 1 ? 'none' : logits;
}

/** What one of `tokens` tokens has of an array over all. */
function tokenPart(values: Float32Array, tokens: number, token: number): Float32Array {
  const width = values.length / tokens;
  return values.subarray(token * width, (token + 1) * width);
}

function replacementOf({ hookPoint, values, mask }: Replacement, token: number): Replacement {
  const own = tokenPart(values, mask.length, token);
  return { hookPoint, values: own, mask: mask.subarray(token, token + 1) };
}

/** The same arrays each time: steps know edits that stay as they were by them. */
const touched = Float32Array.of(1);
const left = Float32Array.of(0);

/** What `splitTokens` took apart, put together: `results` are of its rows. */
export function joinTokens(rows: readonly RowStep[], results: readonly RowResult[]): readonly RowResult[] {
  let next = 0;
  return rows.map((row) => {
    const own = results.slice(next, next + row.tokens.length);
    next += row.tokens.length;
    return own.length === 1 ? (own[0] as RowResult) : joined(row, own);
  });
}

function joined({ requestId, edits, taps, encodings = [] }: RowStep, tokens: readonly RowResult[]): RowResult {
  const logits: LogitsRow[] = tokens.flatMap((token) => token.logits);
  const readings = edits.map(
    (_, index) => new SeveralReadings(tokens.map((token) => token.readings[index] as EditReading)),
  );
  const activations = encodings.map((_, k) =>
    concatenateActivations(tokens.map((token) => token.activations?.[k] as SparseActivations)),
  );
  return { requestId, logits, readings, taps: new Map(taps.map((name) => [name, tapOf(name, tokens)])), activations };
}

function tapOf(name: string, tokens: readonly RowResult[]): Float32Array {
  const width = tokens[0]?.taps.get(name)?.length ?? 0;
  const whole = new Float32Array(tokens.length * width);
  for (const [t, { taps }] of tokens.entries()) whole.set(taps.get(name) ?? [], t * width);
  return whole;
}

/** An edit's readings over tokens that were rows of their own. */
class SeveralReadings implements EditReading {
  readonly tokens: number;
  readonly #each: readonly EditReading[];

  constructor(each: readonly EditReading[]) {
    this.#each = each;
    this.tokens = each.length;
  }

  gate(token: number): number {
    return this.#of(token).gate(0);
  }

  sink(token: number): number {
    return this.#of(token).sink(0);
  }

  coefficient(token: number): number {
    return this.#of(token).coefficient(0);
  }

  readingBefore(token: number): number {
    return this.#of(token).readingBefore(0);
  }

  readingAfter(token: number): number {
    return this.#of(token).readingAfter(0);
  }

  streamNorm(token: number): number {
    return this.#of(token).streamNorm(0);
  }

  #of(token: number): EditReading {
    return this.#each[token] as EditReading;
  }
}
