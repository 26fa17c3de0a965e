import type { EngineStatistics } from '../../engine/core/index.ts';

/** What metrics need of the model that is served; src/services.ts `ReadyModel` is one. */
export interface ServedModel {
  /** The label `model_name`. */
  readonly id: string;
  readonly model: { readonly executor: { readonly blocks: { readonly blockTokens: number } } };
  readonly engine: { statistics(): EngineStatistics };
  readonly registry: { readonly sources: readonly { readonly id: string; readonly residentBytes: number }[] };
}
