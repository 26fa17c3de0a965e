import { createRoute, z } from '@hono/zod-openapi';
import { hookPointAliases, whyNotEditable } from '../../engine/core/index.ts';
import { errorResponses } from '../http/error-responses.ts';
import { withParam } from '../http/errors.ts';
import type { Router } from '../http/router.ts';
import type { ModelCard, Services } from '../services.ts';

const hookPointSchema = z
  .object({
    name: z.string().openapi({ example: 'blocks.12.hook_resid_post' }),
    shape: z.array(z.union([z.int(), z.literal('keys')])).openapi({
      description:
        "Of one token's value: [d_model], [heads, head width], [MLP width], [1], or [heads, keys], where `keys` stands for the number of tokens that are looked back on.",
      example: [576],
    }),
    editable: z.boolean().openapi({ description: 'Whether `steering` can make edits there.' }),
    why_not: z.string().nullable().openapi({ description: 'Why no edit can be made there, and the way out.' }),
    aliases: z.array(z.string()).openapi({
      description: 'Other names that are taken: of the same place, and of the Hugging Face module that gives it out.',
      example: ['blocks.13.hook_resid_pre', 'model.layers.12', 'layers.12'],
    }),
  })
  .openapi('HookPoint');

const route = createRoute({
  method: 'get',
  path: '/api/v1/models/{model}/hook-points',
  operationId: 'listHookPoints',
  summary: "A model's hook points with their shapes, in the model's order",
  tags: ['Models'],
  request: { params: z.object({ model: z.string().openapi({ example: 'smollm2-135m-instruct' }) }) },
  responses: {
    200: {
      description: 'All of them.',
      content: { 'application/json': { schema: z.object({ hook_points: z.array(hookPointSchema) }) } },
    },
    ...errorResponses(['model_not_found', 'profile_not_found', 'not_ready', 'draining', 'internal']),
  },
});

/** `GET /api/v1/models/{model}/hook-points`. */
export function registerHookPoints(app: Router, services: Services): void {
  app.openapi(route, (c) => {
    try {
      return c.json({ hook_points: listed(services.model(c.req.valid('param').model).model.card) }, 200);
    } catch (error) {
      throw withParam(error, 'model');
    }
  });
}

function listed(card: ModelCard): z.infer<typeof hookPointSchema>[] {
  return Array.from(card.hookPoints ?? [], ([name, shape]) => {
    const why = whyNotEditable(name);
    return { name, shape: [...shape], editable: why === null, why_not: why, aliases: hookPointAliases(name, card) };
  });
}
