import type { Edit } from './core/edit.ts';
import type { GenerateRequest } from './core/request.ts';
import type { RowStep } from './core/step.ts';
import { type RequestEdits, requestEdits } from './request-edits.ts';
import { positionsMask } from './steering/positions.ts';
import type { RuleState } from './steering/rule-state.ts';

/** The edits that a step carries for one row, and which of the request's they are. */
export interface RowEdits {
  readonly edits: RowStep['edits'];
  /** Indices into the request's edits (`RequestEdits.all`), in the order of `edits`. */
  readonly indices: readonly number[];
}

/** What a decode step carries, by whether its token is a special one. */
interface DecodeEdits {
  /** For which rules held. */
  readonly holding: string;
  plain: RowEdits | null;
  special: RowEdits | null;
}

const one = Float32Array.of(1);

/**
 * Chooses for each step of a request the edits that touch any of its tokens. Whether an edit touches a generated token
 * depends on no more than whether the token is a special one and which rules hold, so for decode steps there are two answers,
 * made once and again where a verdict changes: a step gets the same arrays as the step before it.
 */
export class EditChooser {
  readonly #request: Pick<GenerateRequest, 'promptTokenIds' | 'positionContext'>;
  readonly #edits: RequestEdits;
  readonly #rules: RuleState | null;
  readonly #ruleCount: number;
  #decode: DecodeEdits = { holding: '', plain: null, special: null };

  /** @param rules of a request that has any */
  constructor(request: GenerateRequest, edits = requestEdits(request), rules: RuleState | null = null) {
    this.#request = request;
    this.#edits = edits;
    this.#rules = rules;
    this.#ruleCount = request.rules?.rules.length ?? 0;
  }

  /** Edits for tokens from position `start` on. */
  choose(start: number, tokens: Int32Array): RowEdits {
    const { promptTokenIds, positionContext } = this.#request;
    if (tokens.length > 1 || start < promptTokenIds.length) return this.#masked(start, tokens);
    const holding = this.#holding(start);
    if (holding !== this.#decode.holding) this.#decode = { holding, plain: null, special: null };
    if (positionContext.specialTokenIds.has(tokens[0] as number)) {
      this.#decode.special ??= this.#masked(start, tokens);
      return this.#decode.special;
    }
    this.#decode.plain ??= this.#masked(start, tokens);
    return this.#decode.plain;
  }

  /** Which rules hold at a token of the reply. */
  #holding(position: number): string {
    let holding = '';
    for (let rule = 0; rule < this.#ruleCount; rule++) holding += this.#rules?.holdsAt(rule, position) ? '1' : '0';
    return holding;
  }

  #masked(start: number, tokens: Int32Array): RowEdits {
    const edits: { edit: Edit; mask: Float32Array }[] = [];
    const indices: number[] = [];
    this.#edits.all.forEach((edit, index) => {
      const mask = this.#mask(edit, index, start, tokens);
      if (!mask.includes(1)) return;
      edits.push({ edit, mask: mask.length === 1 ? one : mask });
      indices.push(index);
    });
    return { edits, indices };
  }

  #mask(edit: Edit, index: number, start: number, tokens: Int32Array): Float32Array {
    const { own, ruleOf, firstProbe } = this.#edits;
    const rules = this.#rules;
    if (rules && index >= firstProbe) return rules.probeMask(index - firstProbe, start, tokens.length);
    const mask = positionsMask(edit, this.#request.positionContext, start, tokens);
    const rule = ruleOf[index - own] ?? null;
    if (!rules || rule === null) return mask;
    for (let at = 0; at < mask.length; at++) if (!rules.holdsAt(rule, start + at)) mask[at] = 0;
    return mask;
  }
}
