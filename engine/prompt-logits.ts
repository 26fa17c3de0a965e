import { TillerError } from './core/errors.ts';
import { mostChosenTokens, mostTopLogits, type PositionLogits, type PromptLogits } from './core/prompt-logits.ts';
import type { GenerateRequest, GenerationEvent } from './core/request.ts';
import { type LogitsRow, logitTokens, type RowResult, type RowStep } from './core/step.ts';

/** Whether logits are wanted of positions before the last, which must then be computed. */
export function wantsEarlierLogits({ promptLogits }: Pick<GenerateRequest, 'promptLogits'>): boolean {
  return promptLogits?.mask.subarray(0, -1).includes(1) ?? false;
}

/** Throws `invalid_request` for logits that cannot be told of a prompt of so many tokens. */
export function checkPromptLogits({ mask, top, tokenIds }: PromptLogits, promptLength: number): void {
  const refuse = (param: string, message: string): never => {
    throw new TillerError('invalid_request', `${param}: ${message}`, { param });
  };
  if (mask.length !== promptLength) refuse('positions', 'they are those of another prompt.');
  if (!(Number.isInteger(top) && top >= 0 && top <= mostTopLogits)) {
    refuse('top', `must be a whole number from 0 to ${mostTopLogits}, not ${top}.`);
  }
  if (tokenIds.length > mostChosenTokens) {
    refuse('tokens', `${tokenIds.length} are too many to choose; ${mostChosenTokens} can be.`);
  }
}

/** Tells the logits that a request wants of its prompt, each position's once. */
export class PromptLogitsTeller {
  readonly #wanted: PromptLogits | null;
  readonly #promptTokenIds: Int32Array;
  /** Positions before this have been told. */
  #told = 0;

  constructor({ promptLogits, promptTokenIds }: Pick<GenerateRequest, 'promptLogits' | 'promptTokenIds'>) {
    this.#wanted = promptLogits ?? null;
    this.#promptTokenIds = promptTokenIds;
  }

  /** For which of the tokens `start` … `end` − 1 logits are wanted; null for none. A row that is read again is not asked again. */
  chosen(start: number, end: number): Uint8Array | null {
    if (this.#wanted === null || end <= this.#told) return null;
    const chosen = new Uint8Array(end - start);
    for (let at = Math.max(start, this.#told); at < end; at++) chosen[at - start] = this.#wanted.mask[at] ?? 0;
    return chosen.includes(1) ? chosen : null;
  }

  /** The event of what a step gave, if it gave any of what is wanted. */
  take(row: RowStep, { logits }: RowResult): GenerationEvent | null {
    if (this.#wanted === null) return null;
    const { mask } = this.#wanted;
    const rows: PositionLogits[] = [];
    for (const [at, token] of logitTokens(row).entries()) {
      const position = row.start + token;
      if (position < this.#told || mask[position] !== 1) continue;
      const next = this.#promptTokenIds[position + 1];
      rows.push(tellPosition(position, logits[at] as LogitsRow, this.#wanted, next));
    }
    this.#told = Math.max(this.#told, row.start + row.tokens.length);
    return rows.length === 0 ? null : { type: 'logits', rows };
  }
}

/**
 * What is told of a row of logits; the row is looked at in place.
 *
 * @param next the token that follows in the text, if one does
 */
export function tellPosition(
  position: number,
  row: LogitsRow,
  { top, tokenIds }: Pick<PromptLogits, 'top' | 'tokenIds'>,
  next: number | undefined,
): PositionLogits {
  return {
    position,
    logSumExp: row.logSumExp,
    topTokenIds: row.topTokenIds.slice(0, top),
    topValues: row.topValues.slice(0, top),
    values: chosenLogits(row, tokenIds),
    next: next === undefined ? null : rankedLogit(row, next),
  };
}

function chosenLogits(row: LogitsRow, tokenIds: Int32Array): Float32Array {
  if (tokenIds.length === 0) return new Float32Array();
  const logits = row.full();
  return Float32Array.from(tokenIds, (id) => logits[id] as number);
}

function rankedLogit(row: LogitsRow, tokenId: number): { readonly logit: number; readonly rank: number } {
  const rank = row.topTokenIds.indexOf(tokenId);
  if (rank >= 0) return { logit: row.topValues[rank] as number, rank };
  const logits = row.full();
  const logit = logits[tokenId] as number;
  let likelier = 0;
  for (let id = 0; id < logits.length; id++) if ((logits[id] as number) > logit) likelier++;
  return { logit, rank: likelier };
}
