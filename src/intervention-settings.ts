import { z } from 'zod';
import { names, steerSettings } from './command-settings.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

const numbers = z
  .string()
  .regex(/^\d{1,6}(,\d{1,6})*$/, 'must be whole numbers with commas between them')
  .transform((text) => text.split(',').map(Number))
  .nullable();

/** What `tiller patch` can be told. */
export const patchSettings = {
  clean: textSetting('--clean <text>', 'TILLER_CLEAN', 'the prompt whose activations are taken'),
  corrupted: textSetting(
    '--corrupted <text>',
    'TILLER_CORRUPTED',
    'the prompt that they are put into, of as many tokens',
  ),
  answer: textSetting('--answer <token>', 'TILLER_ANSWER', 'the token whose logit is watched, with its space'),
  contrast: textSetting('--contrast <token>', 'TILLER_CONTRAST', 'watch the logit less that of this token'),
  hook: setting(
    '--hook <name>',
    'TILLER_HOOK',
    "what is patched of each layer: a hook point's name behind blocks.L.",
    z.string().min(1),
    'hook_resid_post',
  ),
  layers: setting('--layers <list>', 'TILLER_LAYERS', 'layers to patch, as 0,8,16', numbers, null, {
    defaultText: 'all',
  }),
  at: setting('--at <list>', 'TILLER_AT', 'positions to patch, as 3,4', numbers, null, { defaultText: 'all' }),
  json: steerSettings.json,
} as const;

/** What `tiller intervene` can be told. */
export const interveneSettings = {
  zero: setting('--zero <hook point>', 'TILLER_ZERO', 'put zeros there', names, () => [], { repeatable: true }),
  mean: setting('--mean <hook point>', 'TILLER_MEAN', "put the prompt's mean there", names, () => [], {
    repeatable: true,
  }),
  splice: setting(
    '--splice <source>',
    'TILLER_SPLICE',
    "put a source's reconstruction in place of what it describes",
    names,
    () => [],
    {
      repeatable: true,
    },
  ),
  errorTerm: setting('--error-term', 'TILLER_ERROR_TERM', 'splices add what they leave out again', switchValue, false),
  at: setting('--at <list>', 'TILLER_AT', 'prompt positions, as 3,4', numbers, null, {
    defaultText: 'all but the first',
  }),
  interventions: textSetting(
    '--interventions <file>',
    'TILLER_INTERVENTIONS',
    'more of them, as POST /api/v1/interventions takes them: a JSON list; - is standard input',
  ),
  token: setting(
    '--token <token>',
    'TILLER_TOKENS_TOLD',
    'tell the logit of a token, with its space',
    names,
    () => [],
    {
      repeatable: true,
    },
  ),
  maxTokens: setting('--max-tokens <n>', 'TILLER_MAX_TOKENS', 'length of both replies', wholeNumber(0, 1_048_576), 32),
  json: steerSettings.json,
} as const;
