import type { EvaluationService } from '../../routes/services.ts';
import type { EvaluationContext } from './context.ts';
import { evaluateDoses } from './dose-evaluation.ts';
import { sweepOf } from './sweep.ts';

/** Measuring over one loaded model. */
export function evaluationService(context: EvaluationContext): EvaluationService {
  return {
    doseResponse: (request) => evaluateDoses(request, context),
    sweep: (request) => sweepOf(request, context),
  };
}
