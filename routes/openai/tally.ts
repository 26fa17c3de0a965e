import type { EditReport, GenerationEvent, RuleReport } from '../../engine/core/index.ts';
import type { Merged } from '../http/merge.ts';
import type { TokensEvent } from './coalesce.ts';
import type { Generation } from './generation.ts';
import { steeringBlock } from './generation.ts';
import type { Usage } from './schemas/common.ts';

/** Counts over all choices of an answer while their events pass by. */
export class Tally {
  readonly #generation: Generation;
  readonly #completionTokens: number[];
  readonly #cachedTokens: number[];
  readonly #reports: (readonly EditReport[])[] = [];
  readonly #rules: (readonly RuleReport[])[] = [];
  #finished = 0;

  constructor(generation: Generation) {
    this.#generation = generation;
    this.#completionTokens = generation.requests.map(() => 0);
    this.#cachedTokens = generation.requests.map(() => 0);
  }

  count({ index, value }: Merged<GenerationEvent | TokensEvent>): void {
    if (value.type === 'prompt') this.#cachedTokens[index] = value.cachedTokens;
    const tokens = value.type === 'token' ? 1 : value.type === 'tokens' ? value.count : 0;
    this.#completionTokens[index] = (this.#completionTokens[index] ?? 0) + tokens;
    if (value.type !== 'finish') return;
    this.#completionTokens[index] = value.completionTokens;
    this.#reports[index] = value.edits;
    this.#rules[index] = value.rules ?? [];
    this.#finished++;
  }

  /** Whether every choice has finished. */
  get complete(): boolean {
    return this.#finished === this.#generation.requests.length;
  }

  /** Tokens so far, over all choices. */
  usage(): Usage {
    const completion = this.#completionTokens.reduce((sum, tokens) => sum + tokens, 0);
    const { promptTokens: prompt } = this.#generation;
    return {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_tokens_details: { cached_tokens: this.#cached() },
    };
  }

  /**
   * A prompt counts once however many choices it has, so of its choices the first counts: the others find in the cache what
   * that one has just computed.
   */
  #cached(): number {
    const { choices } = this.#generation;
    return this.#cachedTokens.reduce((sum, tokens, index) => (index % choices === 0 ? sum + tokens : sum), 0);
  }

  /** Fields of the answer as a whole, once it is complete. */
  extras(): {
    seed: number;
    steering?: NonNullable<ReturnType<typeof steeringBlock>>;
    warnings?: Generation['warnings'];
  } {
    const { seed } = this.#generation;
    const steering = steeringBlock(this.#generation, this.#reports, this.#rules);
    const warnings = [
      ...this.#generation.warnings,
      ...idleEdits(this.#reports, this.#generation.steering?.params ?? []),
    ];
    return { seed, ...(steering ? { steering } : {}), ...(warnings.length > 0 ? { warnings } : {}) };
  }
}

/** A warning for each edit that was applied nowhere in some choice: what was asked for is honoured, and changed nothing. */
function idleEdits(reports: readonly (readonly EditReport[])[], params: readonly string[]): Generation['warnings'] {
  const edits = reports[0]?.length ?? 0;
  return Array.from({ length: edits }, (_, edit) => edit).flatMap((edit) => {
    const idle = reports.flatMap((choice, index) => (choice[edit]?.tokens === 0 ? [index] : []));
    if (idle.length === 0) return [];
    const where = reports.length === 1 ? '' : ` in choice ${idle.join(', ')}`;
    const message = `This edit was applied at no token${where}: its positions name none there, or the feature never fired.`;
    return [{ param: params[edit] ?? 'steering', message }];
  });
}
