import { createTurnPace } from '../../engine/turn-pace.ts';
import type {
  CombineRequest,
  ModelService,
  SimilarityRequest,
  VectorSimilarity,
  VectorWork,
} from '../../routes/services.ts';
import { checkName, combineVectors, similarityOf } from '../../sae-registry/index.ts';
import { nearestFeatures } from '../contrast/nearest-features.ts';
import { OneAtATime } from '../one-at-a-time.ts';
import { namedDirections, type VectorContext } from './named-directions.ts';
import { readUploadedVector } from './uploaded-vector.ts';

/** Similarities of one model that wait for their turn; more are refused. */
const mostWaiting = 32;

/** Work with the vectors of one loaded model. */
export function vectorWork(context: VectorContext, saveVector: ModelService['saveVector']): VectorWork {
  const line = new OneAtATime(mostWaiting);
  return {
    async importFile({ bytes, name, description }) {
      checkName(name, 'name');
      const { format, directions } = await readUploadedVector(bytes);
      return saveVector({
        ...{ name, description },
        made: { method: 'imported', origin: `POST /api/v1/vectors/import (${format})` },
        directions: directions.map((direction) => ({ ...direction, param: 'file' })),
      });
    },
    combine: (request) => combine(request, context, saveVector),
    similarity: (request) => line.run(() => similarity(request, context), request.signal),
  };
}

function combine(
  { name, description, terms, orthogonalTo, unit }: CombineRequest,
  context: VectorContext,
  saveVector: ModelService['saveVector'],
): ReturnType<ModelService['saveVector']> {
  checkName(name, 'name');
  const found = terms.map((term) => ({ ...namedDirections(term, context), scale: term.scale, unit: term.unit }));
  const others = orthogonalTo.map((reference) => namedDirections(reference, context));
  const directions = combineVectors({ terms: found, orthogonalTo: others.map((other) => other.directions), unit });
  const recipe = {
    terms: found.map(({ pinned, scale, unit: ofTerm }) => ({ ...pinned, scale, ...(ofTerm ? { unit: true } : {}) })),
    ...(others.length === 0 ? {} : { orthogonal_to: others.map(({ pinned }) => pinned) }),
    ...(unit ? { unit: true } : {}),
  };
  return saveVector({
    ...{ name, description },
    made: { method: 'combined', origin: `POST /api/v1/vectors/combine ${JSON.stringify(recipe)}` },
    directions: directions.map((direction) => ({ ...direction, param: 'terms' })),
  });
}

async function similarity(
  { vectors, nearest }: SimilarityRequest,
  context: VectorContext,
): Promise<readonly VectorSimilarity[]> {
  const named = vectors.map((reference, at) => {
    const { name, directions } = namedDirections(reference, context);
    return { name: name === 'inline' ? `inline ${at}` : name, directions };
  });
  const pace = createTurnPace();
  const answer: VectorSimilarity[] = [];
  for (const place of similarityOf(named)) {
    const near: VectorSimilarity['nearest'][number][] = [];
    for (const { directions } of nearest === 0 ? [] : named) {
      const direction = directions.find(({ hookPoint }) => hookPoint === place.hookPoint);
      if (direction) near.push(await nearestFeatures(context.registry, direction, nearest, pace));
    }
    answer.push({ ...place, nearest: near });
  }
  return answer;
}
