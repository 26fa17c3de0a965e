import type { Context } from 'hono';
import type { ModelService, Services } from '../services.ts';
import { withParam } from './errors.ts';
import type { AppEnv } from './router.ts';

/** Gives the model of a name, or the first where none is given; it stays loaded until the answer is complete. */
export type UseModel = (
  name: string | null,
) => Promise<{ readonly model: ModelService; readonly profile: string | null }>;

/** The models of one request. What cannot be had is refused with param `model`. */
export function modelsOf(c: Context<AppEnv>, services: Services): UseModel {
  return async (name) => {
    try {
      const use = await services.useModel(name, c.req.raw.signal);
      c.get('held').push(use);
      return use;
    } catch (error) {
      throw withParam(error, 'model');
    }
  };
}
