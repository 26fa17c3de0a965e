import type { z } from 'zod';
import { contrastResponseSchema } from '../../routes/native/contrast-schemas.ts';
import type { Config } from '../config.ts';
import type { contrastSettings } from '../contrast-settings.ts';
import { withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';
import type { SettingValues } from '../setting.ts';
import { readDataSet } from './data-set.ts';

/** A contrast as the route answers it. */
export type ContrastAnswer = z.infer<typeof contrastResponseSchema>;

/** `tiller contrast`: a data set through the route that clients call. */
export async function runContrast(
  config: Config,
  data: string,
  settings: SettingValues<typeof contrastSettings>,
  options: OpenModelOptions,
): Promise<ContrastAnswer> {
  const classes = await readDataSet(data);
  const { method, hookPoint, at: positions, folds, save, features, json } = settings;
  return withLocalService(config, options, async ({ post }) => {
    const body = {
      ...classes,
      method,
      positions,
      folds,
      ...(hookPoint.length > 0 ? { hook_points: hookPoint } : {}),
      features: { limit: features },
      include_vector: json,
      ...(save === null ? {} : { save_as: { name: save } }),
    };
    return contrastResponseSchema.parse(await post('/api/v1/contrast', body));
  });
}
