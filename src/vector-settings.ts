import { z } from 'zod';
import { names, steerSettings } from './command-settings.ts';
import { profileSaveSettings } from './profile-settings.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

/** What subcommands of `tiller vectors` that print something can be told. */
export const vectorsSettings = { json: steerSettings.json } as const;

const name = textSetting('--name <name>', 'TILLER_VECTORS_NAME', 'what to call the vector');

/** What `tiller vectors import` can be told. */
export const vectorsImportSettings = { name, description: profileSaveSettings.description } as const;

/** What `tiller vectors export` can be told. */
export const vectorsExportSettings = {
  out: textSetting(
    '--out <file>',
    'TILLER_VECTORS_OUT',
    'where to write: a control vector where it ends in .gguf, else safetensors',
  ),
} as const;

/** What `tiller vectors combine` can be told. */
export const vectorsCombineSettings = {
  ...vectorsImportSettings,
  term: setting(
    '--term <name=scale>',
    'TILLER_VECTORS_TERM',
    'a saved vector, or a feature as source/index, and what it is multiplied by (default 1); repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  orthogonalTo: setting(
    '--orthogonal-to <name>',
    'TILLER_VECTORS_ORTHOGONAL_TO',
    'a vector or feature that is taken out; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  unit: setting(
    '--unit-length',
    'TILLER_VECTORS_UNIT_LENGTH',
    'take terms and result at unit length',
    switchValue,
    false,
  ),
} as const;

/** What `tiller vectors similarity` can be told. */
export const vectorsSimilaritySettings = {
  nearest: setting(
    '--nearest <n>',
    'TILLER_VECTORS_NEAREST',
    'so many features with the largest cosine with each, of either sign',
    wholeNumber(0, 100),
    0,
  ),
  json: steerSettings.json,
} as const;

const numbers = z
  .string()
  .transform((text) => text.split(',').map((one) => (one.trim() === '' ? Number.NaN : Number(one))))
  .pipe(z.array(z.number({ error: 'must be numbers with commas between them' })).min(1));

/** What `tiller vectors evaluate` can be told. */
export const vectorsEvaluateSettings = {
  strengths: setting(
    '--strengths <list>',
    'TILLER_VECTORS_STRENGTHS',
    'with commas between them, in median stream norms',
    numbers,
    [0.1, 0.2, 0.4, 0.8],
    {
      defaultText: '0.1,0.2,0.4,0.8',
    },
  ),
  prompt: setting(
    '--prompt <text>',
    'TILLER_VECTORS_PROMPT',
    'what is answered; repeat for several (the variable: commas)',
    names,
    () => ['Tell me about your day.', 'What makes a good dinner?', 'Describe a walk in the park.'],
    { repeatable: true, defaultText: 'three everyday questions' },
  ),
  words: setting(
    '--words <list>',
    'TILLER_VECTORS_WORDS',
    'words, with commas between them, that say whether it works',
    z.string().min(1).nullable(),
    null,
    {
      defaultText: 'the vector itself as a probe of the text',
    },
  ),
  json: steerSettings.json,
} as const;
