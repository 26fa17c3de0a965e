import { z } from '@hono/zod-openapi';
import { conditionUnits, promptAggregates } from '../../engine/core/index.ts';
import { editSchema, inlineVectorSchema } from './edit-schema.ts';

/** A comparison as it stands in a body; what goes with what is checked in http/rules-request.ts. */
export const comparisonSchema = z.strictObject({
  feature: z.string().min(1).nullish(),
  vector: z.union([z.string().min(1), inlineVectorSchema]).nullish(),
  probe: z.union([z.string().min(1), inlineVectorSchema.extend({ bias: z.number().nullish() })]).nullish(),
  hook_point: z.string().min(1).nullish(),
  above: z.number().nullish(),
  below: z.number().nullish(),
  unit: z.enum(conditionUnits).nullish(),
  end_of_prompt: z.enum(promptAggregates).nullish(),
});

const description = `A condition: \`{"all": [conditions]}\`, \`{"any": [conditions]}\`, \`{"not": condition}\`, or a comparison.
A comparison has one of \`feature\` (an id), \`vector\` (a saved name, or \`{hook_point, data}\`) and \`probe\` (the same, with a \`bias\`), one of \`above\` and \`below\` (a number), and may have \`unit\` (${conditionUnits.join(', ')}), \`hook_point\` (which of a saved vector's) and \`end_of_prompt\` (${promptAggregates.join(', ')}: judged once, over the prompt; otherwise at each token of the reply).`;

/** One rule of the body field `steering.rules`. */
export const ruleSchema = z
  .strictObject({
    when: z.record(z.string(), z.unknown()).openapi({
      description,
      example: {
        any: [
          { feature: 'smollm2-135m-instruct/17-res-4k/837', above: 0.4 },
          { probe: 'refusal', above: 0 },
        ],
      },
    }),
    latch: z.boolean().nullish().openapi({ description: 'Once true, true for the rest of the reply. Default false.' }),
    do: z.array(editSchema).nullish().openapi({ description: 'Edits of the tokens after one through which it holds.' }),
    stop: z.boolean().nullish().openapi({ description: 'Ends the reply; it goes without `do`. Default false.' }),
  })
  .openapi('Rule');

export type RuleBody = z.infer<typeof ruleSchema>;
export type ComparisonBody = z.infer<typeof comparisonSchema>;
