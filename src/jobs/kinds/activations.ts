import { z } from 'zod';
import { TillerError } from '../../../engine/core/index.ts';
import { writeSafetensors } from '../../../sae-registry/index.ts';
import { encodeInput } from '../encode-input.ts';
import { itemOfEachInput, type JobWork, jobKind } from '../job-kind.ts';

const parametersSchema = z.strictObject({
  sources: z.array(z.string().min(1)).min(1).max(16).nullish(),
  by: z.enum(['max', 'mean', 'count']).default('max'),
  limit: z.int().min(1).max(1000).default(20),
});

/** Bytes of one feature in a line of results, and the most that all lines may take. */
const featureBytes = 90;
const mostBytes = 2 ** 30;

const lineSchema = z.object({
  sources: z
    .array(z.object({ source: z.string(), features: z.array(z.object({ index: z.int(), max: z.number() })) }))
    .optional(),
});

/** For each text the features that fire on it most: what `POST /api/v1/features/search-by-activation` says of one. */
export const activationsJob = jobKind({
  name: 'activations',
  summary: 'The features that fire most on each text.',
  parameters: parametersSchema,
  check({ sources = null, limit }, { ready }, inputs) {
    const found = ready.registry.sourcesNamed(sources, 'parameters.sources');
    const estimate = inputs * found.length * limit * featureBytes;
    if (estimate <= mostBytes) return;
    const message =
      `${inputs} texts with ${limit} features of ${found.length} sources each are about ${Math.round(estimate / 2 ** 20)} MiB of results; ` +
      `the limit is ${mostBytes / 2 ** 20} MiB. Lower 'limit', or name fewer sources.`;
    throw new TillerError('invalid_request', message, { param: 'parameters.limit' });
  },
  open({ sources = null, by, limit }, run): JobWork {
    return {
      ...itemOfEachInput(run, async ({ service }, input) => {
        const { signal } = run;
        const tokenIds = await encodeInput(service, input, signal);
        const found = await service.searchByActivation({ tokenIds, sources, by, limit, signal });
        return {
          tokens: tokenIds.length,
          sources: found.sources.map(({ id, features }) => ({
            source: id,
            features: features.map(({ index, max, mean, count, position }) => ({ index, max, mean, count, position })),
          })),
        };
      }),
      async finish({ lines, tensorsPath }) {
        const rows = new Map<string, { offsets: number[]; indices: number[]; max: number[] }>();
        let texts = 0;
        for await (const line of lines()) {
          for (const { source, features } of lineSchema.parse(line).sources ?? []) {
            const row = rows.get(source) ?? { offsets: [], indices: [], max: [] };
            rows.set(source, row);
            // a text that failed has no features of any source
            while (row.offsets.length <= texts) row.offsets.push(row.indices.length);
            for (const { index, max } of features) {
              row.indices.push(index);
              row.max.push(max);
            }
          }
          texts++;
        }
        const tensors: Record<
          string,
          { shape: number[]; write: (put: (values: Float32Array, at: number) => void) => void }
        > = {};
        for (const [source, row] of rows) {
          while (row.offsets.length <= texts) row.offsets.push(row.indices.length);
          for (const [name, values] of Object.entries(row)) {
            tensors[`${source}.${name}`] = {
              shape: [values.length],
              write: (put) => put(Float32Array.from(values), 0),
            };
          }
        }
        await writeSafetensors(tensorsPath, tensors);
        return { texts, sources: [...rows.keys()] };
      },
    };
  },
});
