import type { HookPointShape } from '../engine/core/index.ts';

/** What a registry has to know of the model that its sources belong to. */
export interface ModelFacts {
  /** `smollm2-135m-instruct` */
  readonly id: string;
  /** Width of the residual stream. */
  readonly dModel: number;
  readonly blocks: number;
  /** All of its hook points with the shapes of a token's values; where they are not given, those of the stream alone are known. */
  readonly hookPoints?: ReadonlyMap<string, HookPointShape>;
  /** Hash of the weights. */
  readonly hash: string;
}
