import { z } from 'zod';
import { names, steerSettings } from './command-settings.ts';
import { setting, textSetting } from './setting.ts';

const labelledSource = setting(
  '--source <model/name>',
  'TILLER_LABELS_SOURCE',
  'whose labels, as tiller sae list shows it',
  z.string().min(1, 'must not be empty').nullable(),
  null,
);

const labelWord = z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters');

/** What `tiller import neuronpedia` can be told. */
export const neuronpediaSettings = {
  source: textSetting(
    '--source <model/name>',
    'TILLER_IMPORT_SOURCE',
    'the source that it is of, as tiller sae list shows it',
  ),
  from: setting(
    '--from <modelId/layer>',
    'TILLER_IMPORT_FROM',
    'its name on Neuronpedia, as in gpt2-small/9-res-jb',
    z
      .string()
      .regex(/^[^/\s]+\/[^/\s]+$/, 'must be modelId/layer')
      .nullable(),
    null,
    { defaultText: 'what the first row says' },
  ),
  json: steerSettings.json,
} as const;

/** What `tiller labels import` can be told. */
export const labelsImportSettings = {
  source: labelledSource,
  method: setting(
    '--method <name>',
    'TILLER_LABELS_METHOD',
    'how labels were made whose lines do not say',
    labelWord,
    'import',
  ),
  author: setting(
    '--author <name>',
    'TILLER_LABELS_AUTHOR',
    'who made labels whose lines do not say',
    labelWord,
    'unknown',
  ),
  json: steerSettings.json,
} as const;

/** What `tiller labels export` can be told. */
export const labelsExportSettings = {
  source: labelledSource,
  out: textSetting('--out <file>', 'TILLER_LABELS_OUT', 'where to write', 'standard output'),
} as const;

const exportOut = setting(
  '--out <path>',
  'TILLER_EXPORT_OUT',
  'where to write',
  z.string().min(1, 'must not be empty').nullable(),
  null,
);

/** What `tiller export control-vector` can be told. */
export const controlVectorSettings = {
  feature: setting(
    '--feature <id>',
    'TILLER_EXPORT_FEATURE',
    'a feature, model/source/index or model/source/index=strength; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  vector: setting(
    '--vector <name>',
    'TILLER_EXPORT_VECTOR',
    'a saved vector, model/name[:version] or with =factor; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  unit: setting(
    '--unit <unit>',
    'TILLER_EXPORT_UNIT',
    "what a feature's strength counts in: max_activation, raw",
    z.enum(['max_activation', 'raw'], { error: 'must be one of max_activation, raw' }),
    'max_activation',
  ),
  modelHint: textSetting(
    '--model-hint <text>',
    'TILLER_EXPORT_MODEL_HINT',
    'what kind of model it is for, as the file says it',
    "the model's name",
  ),
  out: exportOut,
} as const;

/** What `tiller export saelens` can be told. */
export const saelensSettings = { out: exportOut } as const;
