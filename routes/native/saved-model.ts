import { TillerError } from '../../engine/core/index.ts';
import { withParam } from '../http/errors.ts';
import type { Services } from '../services.ts';

/** The id of the model that a request about saved things means, loaded or not: the first where it names none. Throws `model_not_found`. */
export function savedModel(services: Services, name: string | undefined): string {
  try {
    const model = name === undefined ? services.models()[0] : services.findModel(name);
    if (model) return model.id;
  } catch (error) {
    throw withParam(error, 'model');
  }
  throw new TillerError('model_not_found', 'No model is served.', { param: 'model' });
}

/** The name of a reference, without its version. */
export function nameOf(reference: string): string {
  return reference.split(':')[0] ?? reference;
}
