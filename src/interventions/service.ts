import type { InterventionService } from '../../routes/services.ts';
import { type IntervenedModel, intervene } from './intervene.ts';
import { activationPatching } from './patch-activations.ts';

/** `ModelService.interventions` over a loaded model. */
export function interventionService(ready: IntervenedModel): InterventionService {
  const { engine, model } = ready;
  return {
    patchActivations: activationPatching(engine, model.config, model.executor.context),
    intervene: (request) => intervene(ready, request),
  };
}
