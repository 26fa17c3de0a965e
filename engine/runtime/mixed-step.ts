import type { EditReading, LogitsRow, RowResult, RowStep } from '../core/index.ts';

/**
 * The rows of a mixed step as a graph takes them: one token each, those of the prompt behind each other in one slot. Attention puts them
 * together again (engine/kernels/attention.cpp); everything else works token by token anyway.
 */
export function splitTokens(rows: readonly RowStep[]): readonly RowStep[] {
  return rows.flatMap((row) => (row.tokens.length === 1 ? [row] : Array.from(row.tokens, (_, t) => tokenOf(row, t))));
}

function tokenOf(row: RowStep, token: number): RowStep {
  const { tokens, start, logits, edits } = row;
  const last = token === tokens.length - 1;
  return {
    ...row,
    tokens: tokens.subarray(token, token + 1),
    start: start + token,
    logits: logits === 'last' && !last ? 'none' : logits,
    edits: edits.map(({ edit, mask }) => ({ edit, mask: mask[token] === 1 ? touched : left })),
  };
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

function joined({ requestId, edits }: RowStep, tokens: readonly RowResult[]): RowResult {
  const logits: LogitsRow[] = tokens.flatMap((token) => token.logits);
  const readings = edits.map(
    (_, index) => new SeveralReadings(tokens.map((token) => token.readings[index] as EditReading)),
  );
  return { requestId, logits, readings, taps: new Map() };
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
