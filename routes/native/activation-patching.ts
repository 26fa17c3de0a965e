import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { errorResponses, readingErrors } from '../http/error-responses.ts';
import { renamingParam } from '../http/errors.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { ActivationPatching, ModelService, Services } from '../services.ts';
import { editablePlace, namedTokens, promptPositions } from './intervention-places.ts';
import { namedTokenSchema, positionListSchema, tokenSchema } from './intervention-schemas.ts';
import { type ReadingInputBody, readingInputSchema } from './reading-input-schemas.ts';
import { type ReadingInput, toReadingInputs } from './reading-inputs.ts';

const requestSchema = z
  .strictObject({
    model: z.string().min(1).optional().openapi({ description: 'Default: the first model.' }),
    clean: readingInputSchema,
    corrupted: readingInputSchema,
    hook: z.string().min(1).default('hook_resid_post').openapi({
      description: 'What is patched of each layer: a hook point’s name behind `blocks.L.`.',
      example: 'hook_resid_post',
    }),
    layers: z.array(z.int().min(0)).min(1).max(1024).optional().openapi({ description: 'Default: all.' }),
    hook_points: z
      .array(z.string().min(1))
      .min(1)
      .max(1024)
      .optional()
      .openapi({ description: 'Instead of hook and layers: hook points by name.' }),
    positions: positionListSchema
      .optional()
      .openapi({ description: 'Positions to patch, one a run, in tokens of the prompts. Default: all.' }),
    answer: namedTokenSchema.openapi({ description: 'The token whose logit is watched.' }),
    contrast: namedTokenSchema.optional().openapi({
      description: 'Then the metric is the logit of `answer` less that of this token.',
    }),
    logits: z.boolean().default(false).openapi({ description: 'Whether each run’s logits are told, too.' }),
  })
  .openapi('ActivationPatchingRequest', {
    example: {
      clean: { text: 'The Eiffel Tower is in the city of' },
      corrupted: { text: 'The Colosseum is in the city of' },
      layers: [0, 8, 16, 24],
      answer: ' Paris',
      contrast: ' Rome',
    },
  });

const grid = z.array(z.array(z.number()));
const responseSchema = z
  .object({
    model: z.string(),
    hook_points: z.array(z.string()).openapi({ description: 'The rows of the tables.' }),
    positions: z.array(z.int()).openapi({ description: 'Their columns.' }),
    clean_tokens: z.array(tokenSchema),
    corrupted_tokens: z.array(tokenSchema),
    answer: tokenSchema,
    contrast: tokenSchema.nullable(),
    metric: z.object({ clean: z.number(), corrupted: z.number() }).openapi({
      description: 'The logit of `answer`, less that of `contrast`, after each prompt as it is.',
    }),
    patched: grid.openapi({ description: 'The same of each patched run, [hook points, positions].' }),
    effect: grid.openapi({ description: 'Patched less corrupted.' }),
    normalised: grid.nullable().openapi({
      description:
        'The effect as a part of clean less corrupted: 0 the corrupted prompt, 1 the clean one. Null where these two are equal.',
    }),
    logits: z
      .object({ clean: z.array(z.number()), corrupted: z.array(z.number()), patched: z.array(grid) })
      .optional()
      .openapi({ description: 'Of answer and contrast; of patched runs [hook points, positions, tokens].' }),
    runs: z.int(),
  })
  .openapi('ActivationPatchingResponse');

const route = createRoute({
  method: 'post',
  path: '/api/v1/activation-patching',
  operationId: 'patchActivations',
  summary: 'What each layer and position of a clean prompt restores in a corrupted one',
  tags: ['Interventions'],
  request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
  responses: {
    200: { description: 'The effect of every run.', content: { 'application/json': { schema: responseSchema } } },
    ...errorResponses([...readingErrors, 'hook_point_not_found', 'edit_not_applicable']),
  },
});

/** `POST /api/v1/activation-patching`. */
export function registerActivationPatching(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const { clean, corrupted, positions, answer, contrast, ...body } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const { signal } = c.req.raw;
      const names = hookPointsOf(model, body);
      const prompts = {
        clean: await promptOf(model, 'clean', clean, signal),
        corrupted: await promptOf(model, 'corrupted', corrupted, signal),
      };
      const { length } = prompts.corrupted.tokenIds;
      const tokens = await namedTokens(
        model,
        contrast === undefined ? [answer] : [answer, contrast],
        (index) => (index === 0 ? 'answer' : 'contrast'),
        signal,
      );
      const asked = {
        clean: prompts.clean.tokenIds,
        corrupted: prompts.corrupted.tokenIds,
        hookPoints: names,
        positions: promptPositions(positions ?? { from: 0, to: length }, length, 'positions'),
        tokens,
      };
      const result = await model.interventions.patchActivations({ ...asked, signal });
      return c.json(toBody(model, asked, result, body.logits), 200);
    },
    bodyHook(requestSchema),
  );
}

function hookPointsOf(
  model: ModelService,
  { hook, layers, hook_points }: Pick<z.infer<typeof requestSchema>, 'hook' | 'layers' | 'hook_points'>,
): readonly string[] {
  if (layers && hook_points) {
    const message = "Give 'hook' and 'layers', or 'hook_points', not both.";
    throw new TillerError('invalid_request', message, { param: 'hook_points' });
  }
  const named =
    hook_points ?? (layers ?? [...Array(model.card.blocks).keys()]).map((layer) => `blocks.${layer}.${hook}`);
  const param = (at: number) => (hook_points ? `hook_points[${at}]` : layers ? `layers[${at}]` : 'hook');
  const found = named.map((name, at) => editablePlace(model, name, param(at)).hookPoint);
  const twice = found.findIndex((name, at) => found.indexOf(name) < at);
  if (twice >= 0) {
    throw new TillerError('invalid_request', `'${found[twice]}' is named twice.`, { param: param(twice) });
  }
  return found;
}

async function promptOf(
  model: ModelService,
  name: string,
  body: ReadingInputBody,
  signal: AbortSignal,
): Promise<ReadingInput> {
  const options = { signal, mostTokens: model.card.contextLength, addGenerationPrompt: true };
  const [input] = await renamingParam(toReadingInputs(model, body, options), (param) => `${name}.${param}`);
  if (!input) throw new TillerError('internal', 'a prompt was not read');
  return input;
}

interface Asked {
  readonly clean: Int32Array;
  readonly corrupted: Int32Array;
  readonly hookPoints: readonly string[];
  readonly positions: readonly number[];
  readonly tokens: Int32Array;
}

function toBody(
  { card, tokenizer }: ModelService,
  { hookPoints, positions, tokens, ...prompts }: Asked,
  { clean, corrupted, patched, runs }: ActivationPatching,
  wantsLogits: boolean,
): z.infer<typeof responseSchema> {
  const named = (ids: Int32Array) => Array.from(ids, (id) => ({ id, token: tokenizer.tokenText(id) }));
  const [answer, contrast = null] = named(tokens);
  if (!answer) throw new TillerError('internal', 'no token was asked for');
  const size = tokens.length;
  const metricOf = (logits: Float32Array) => (logits[0] as number) - (size > 1 ? (logits[1] as number) : 0);
  const metric = { clean: metricOf(clean), corrupted: metricOf(corrupted) };
  const tableOf = <T>(of: (logits: Float32Array) => T) =>
    hookPoints.map((_, row) =>
      positions.map((_, column) => {
        const at = (row * positions.length + column) * size;
        return of(patched.subarray(at, at + size));
      }),
    );
  const range = metric.clean - metric.corrupted;
  const effect = tableOf((logits) => metricOf(logits) - metric.corrupted);
  return {
    model: card.id,
    hook_points: [...hookPoints],
    positions: [...positions],
    clean_tokens: named(prompts.clean),
    corrupted_tokens: named(prompts.corrupted),
    answer,
    contrast,
    metric,
    patched: tableOf(metricOf),
    effect,
    normalised: range === 0 ? null : effect.map((row) => row.map((value) => value / range)),
    ...(wantsLogits
      ? { logits: { clean: [...clean], corrupted: [...corrupted], patched: tableOf((logits) => [...logits]) } }
      : {}),
    runs,
  };
}
