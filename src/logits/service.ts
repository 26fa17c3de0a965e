import type { LogitsService } from '../../routes/services.ts';
import { type ComparisonContext, compareLogits } from './compare.ts';
import { type DirectionContext, resolveDirections } from './directions.ts';
import { Places } from './places.ts';
import { readLogits } from './read.ts';

/** Readings that hold values of the stream at once, each as many as the routes let it, and those that wait for them. */
const mostHolding = 8;
const mostWaiting = 256;

/** `ModelService.logits` over a loaded model. */
export function logitsService(context: ComparisonContext & DirectionContext): LogitsService {
  const places = new Places(mostHolding, mostWaiting);
  return {
    read: (query) => {
      const work = () => readLogits(context, query);
      return query.lens.length + query.directions.length > 0 ? places.run(work, query.signal) : work();
    },
    compare: (text) => places.run(() => compareLogits(context, text), text.signal),
    directions: (requests) => resolveDirections(requests, context),
    bytesPerPosition: (count) => count * context.width * 4,
  };
}
