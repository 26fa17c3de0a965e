import { z } from 'zod';
import { encodeInput } from '../encode-input.ts';
import { itemOfEachInput, type JobWork, jobKind } from '../job-kind.ts';

const parametersSchema = z.strictObject({ source: z.string().min(1) });

const lossSchema = z.object({ plain: z.number(), spliced: z.number(), zeroed: z.number() });
const lineSchema = z.object({
  tokens: z.int().optional(),
  explained_variance: z.number().nullable().optional(),
  l0: z.number().optional(),
  loss: lossSchema.optional(),
});

/** For each text how much of it a source keeps, and all texts together, each token weighing the same. */
export const evaluateJob = jobKind({
  name: 'evaluate',
  summary: 'How much of the stream, and of the model’s predictions, a source keeps, text by text.',
  parameters: parametersSchema,
  check({ source }, { ready }) {
    ready.registry.sourcesNamed([source], 'parameters.source');
  },
  open({ source }, run): JobWork {
    return {
      ...itemOfEachInput(run, async ({ service }, input) => {
        const { signal } = run;
        const tokenIds = await encodeInput(service, input, signal);
        const health = await service.evaluateSource({ source, sequences: [tokenIds], signal });
        return {
          tokens: health.tokens,
          explained_variance: health.explainedVariance,
          l0: health.l0,
          loss: health.loss,
        };
      }),
      async finish({ lines }) {
        const sums = { tokens: 0, texts: 0, variance: 0, l0: 0, plain: 0, spliced: 0, zeroed: 0 };
        for await (const line of lines()) {
          const { tokens, loss, l0, explained_variance: variance } = lineSchema.parse(line);
          if (!tokens || !loss || l0 === undefined) continue;
          sums.texts++;
          sums.tokens += tokens;
          sums.variance += tokens * (variance ?? 0);
          sums.l0 += tokens * l0;
          for (const name of ['plain', 'spliced', 'zeroed'] as const) sums[name] += tokens * loss[name];
        }
        const mean = (sum: number) => (sums.tokens === 0 ? null : sum / sums.tokens);
        return {
          texts: sums.texts,
          tokens: sums.tokens,
          mean_explained_variance_of_texts: mean(sums.variance),
          l0: mean(sums.l0),
          loss: { plain: mean(sums.plain), spliced: mean(sums.spliced), zeroed: mean(sums.zeroed) },
          loss_recovered: sums.tokens === 0 ? null : (sums.zeroed - sums.spliced) / (sums.zeroed - sums.plain),
        };
      },
    };
  },
});
