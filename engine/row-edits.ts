import type { Edit } from './core/edit.ts';
import type { GenerateRequest } from './core/request.ts';
import type { RowStep } from './core/step.ts';
import { positionsMask } from './steering/positions.ts';

/** The edits that a step carries for one row, and which of the request's they are. */
export interface RowEdits {
  readonly edits: RowStep['edits'];
  /** Indices into the request's edits, in the order of `edits`. */
  readonly indices: readonly number[];
}

const one = Float32Array.of(1);

/**
 * Chooses for each step of a request the edits that touch any of its tokens. Whether an edit touches a generated token
 * depends on no more than whether the token is a special one, so for decode steps there are two answers, made once: a step
 * gets the same arrays as the step before it.
 */
export class EditChooser {
  readonly #request: GenerateRequest;
  #plain: RowEdits | null = null;
  #special: RowEdits | null = null;

  constructor(request: GenerateRequest) {
    this.#request = request;
  }

  /** Edits for tokens from position `start` on. */
  choose(start: number, tokens: Int32Array): RowEdits {
    const { promptTokenIds, positionContext } = this.#request;
    if (tokens.length > 1 || start < promptTokenIds.length) return this.#masked(start, tokens);
    if (positionContext.specialTokenIds.has(tokens[0] as number)) {
      this.#special ??= this.#masked(start, tokens);
      return this.#special;
    }
    this.#plain ??= this.#masked(start, tokens);
    return this.#plain;
  }

  #masked(start: number, tokens: Int32Array): RowEdits {
    const edits: { edit: Edit; mask: Float32Array }[] = [];
    const indices: number[] = [];
    this.#request.edits.forEach((edit, index) => {
      const mask = positionsMask(edit, this.#request.positionContext, start, tokens);
      if (!mask.includes(1)) return;
      edits.push({ edit, mask: mask.length === 1 ? one : mask });
      indices.push(index);
    });
    return { edits, indices };
  }
}
