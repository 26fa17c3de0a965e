import { TillerError } from '../../engine/core/index.ts';

/** An answer's size, before the work for it is done. */
export interface AnswerEstimate {
  /** At most so many bytes. */
  readonly bytes: number;
  readonly limit: number;
  /** The field that makes it as large as it is. */
  readonly param: string;
  /** What would make it smaller: `name fewer sources`. */
  readonly wayOut: string;
}

/** Throws `answer_too_large`, with the estimate and the limit, for an answer that would be larger than it may be. */
export function refuseLargeAnswer({ bytes, limit, param, wayOut }: AnswerEstimate): void {
  if (bytes <= limit) return;
  const message = `The answer could take ${inMegabytes(bytes)} and may take ${inMegabytes(limit)}: ${wayOut}.`;
  throw new TillerError('answer_too_large', message, { param });
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
