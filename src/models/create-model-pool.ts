import type { Config } from '../config.ts';
import { memoryBudget, readMachine } from '../limits.ts';
import { assignSources } from './assign-sources.ts';
import { type Loaded, ModelPool, type ModelPoolOptions } from './model-pool.ts';
import { servedName } from './served-name.ts';

/** How one model is loaded, of a configuration that holds it and its sources alone. */
export interface ModelLoader<Value extends Loaded> {
  open(config: Config, signal: AbortSignal): Promise<Value>;
  measure(config: Config, signal: AbortSignal): Promise<number>;
  readonly onChange?: ModelPoolOptions<Value>['onChange'];
}

/**
 * The pool of the configured models, each with its own sources, within the memory budget. Throws `model_not_found`, `invalid_request`
 * for two of one name, `source_invalid` for a source of none of them.
 */
export async function createModelPool<Value extends Loaded>(
  config: Config,
  { open, measure, onChange }: ModelLoader<Value>,
): Promise<ModelPool<Value>> {
  const models = config.models.map((model) => ({ model, name: servedName(model) }));
  const sources = await assignSources(
    config.source,
    models.map(({ name }) => name),
  );
  const budgetBytes = memoryBudget(config, readMachine().memoryBytes);
  return new ModelPool({
    models: models.map(({ model, name }) => {
      const own: Config = { ...config, model, source: [...(sources.get(name) ?? [])] };
      return {
        name,
        // without a budget nothing is done with the answer
        measure: async (signal) => (budgetBytes === null ? 0 : await measure(own, signal)),
        load: (signal) => open(own, signal),
      };
    }),
    budgetBytes,
    onChange,
  });
}
