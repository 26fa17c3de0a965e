import type { z } from 'zod';
import type { Config } from '../config.ts';
import { clientLimits, withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';

/** Opens the model of the configuration, asks one of the routes that a client would call, and closes it again. Throws what the route answers. */
export async function askModel<Answer>(
  config: Config,
  path: string,
  body: object,
  schema: z.ZodType<Answer>,
  { maxRows, ...opening }: OpenModelOptions & { readonly maxRows: number },
): Promise<Answer> {
  return withLocalService({ ...config, maxRows }, { ...opening, ...clientLimits(config) }, async ({ request }) =>
    schema.parse(await (await request(path, body)).json()),
  );
}
