import { TillerError } from '../../engine/index.ts';
import type { LogitsService } from '../../routes/services.ts';
import { type ComparisonContext, compareLogits } from './compare.ts';
import { type DirectionContext, resolveDirections } from './directions.ts';
import { readLogits } from './read.ts';

/** Readings that hold values of the stream at once; each may hold as much as the routes let it. */
const mostHolding = 8;

/** `ModelService.logits` over a loaded model. */
export function logitsService(context: ComparisonContext & DirectionContext): LogitsService {
  let holding = 0;
  const held = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (holding >= mostHolding) {
      const message = `${holding} requests that look into the stream are being answered, which is as many as can be at once.`;
      throw new TillerError('queue_full', message, { retryAfterSeconds: 2 });
    }
    holding++;
    try {
      return await work();
    } finally {
      holding--;
    }
  };
  return {
    read: (query) => {
      const work = () => readLogits(context, query);
      return query.lens.length + query.directions.length > 0 ? held(work) : work();
    },
    compare: (text) => held(() => compareLogits(context, text)),
    directions: (requests) => resolveDirections(requests, context),
    bytesPerPosition: (places) => places * context.width * 4,
  };
}
