import type { Context } from 'hono';
import type { AppEnv } from '../http/router.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import type { SteeringBody } from '../http/steering-schema.ts';
import { modelsOf } from '../http/use-model.ts';
import type { ModelService, ResolvedSteering, Services } from '../services.ts';
import type { ReadingInputsBody } from './reading-input-schemas.ts';
import { type ReadingInput, type ReadingInputsOptions, toReadingInputs } from './reading-inputs.ts';

/** What a request reads, and how the model is steered meanwhile. */
export interface SteeredInputs {
  readonly model: ModelService;
  readonly inputs: readonly ReadingInput[];
  /** Null: not at all. */
  readonly steering: ResolvedSteering | null;
}

/**
 * The model, inputs and steering of a body. A profile holds as it does for generation: `model: "name@profile"`, `steering.profile`, else the
 * service's default. Throws as `toReadingInputs` and `resolveSteering`.
 */
export async function steeredInputs(
  c: Context<AppEnv>,
  services: Services,
  body: ReadingInputsBody & { readonly model?: string; readonly steering?: SteeringBody | null },
  options: Omit<ReadingInputsOptions, 'signal'>,
): Promise<SteeredInputs> {
  const { model, profile } = await modelsOf(c, services)(body.model ?? null);
  const profiles = { ofModel: profile, byDefault: model.defaultProfile() };
  const wanted = toSteeringRequest(body.steering, profiles, services.limits.maxEdits);
  const { text, messages, token_ids, add_generation_prompt, inputs: batch } = body;
  const given = Object.fromEntries(
    Object.entries({ text, messages, token_ids, add_generation_prompt, inputs: batch }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as ReadingInputsBody;
  const inputs = await toReadingInputs(model, given, { ...options, signal: c.req.raw.signal });
  const lengths = inputs.map(({ tokenIds }) => tokenIds.length);
  const steering =
    wanted && model.resolveSteering(wanted, { shortest: Math.min(...lengths), longest: Math.max(...lengths) });
  return { model, inputs, steering };
}

/** Works on inputs, some at a time so that their steps are shared, and gives results in their order. After a failure no other begins. */
export async function inTurn<Item, Result>(
  items: readonly Item[],
  together: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) {
      try {
        results[index] = await work(items[index] as Item, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(together, items.length) }, lane));
  const failed = lanes.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  return results;
}
