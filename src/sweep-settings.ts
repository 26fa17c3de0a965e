import { z } from 'zod';
import { steeringUnits } from '../engine/core/index.ts';
import { editSettings, names, steerSettings } from './command-settings.ts';
import { wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

const split = (text: string) => text.split(',').map((one) => (one.trim() === '' ? Number.NaN : Number(one)));

/** Numbers with commas between them. */
export const numberList = z
  .string()
  .transform(split)
  .pipe(z.array(z.number({ error: 'must be numbers with commas between them' })).min(1));

/** Seeds of texts, with commas between them. */
export const seedsSetting = (variable: string) =>
  setting(
    '--seeds <list>',
    variable,
    'seeds of each prompt, with commas between them; one where the temperature is 0',
    z
      .string()
      .transform(split)
      .pipe(z.array(z.int({ error: 'must be whole numbers with commas between them' })).min(1)),
    [0, 1],
    { defaultText: '0,1' },
  );

/** How warm texts are sampled that are to be measured. */
export const measuredTemperature = (variable: string) =>
  setting('--temperature <x>', variable, steerSettings.temperature.description, steerSettings.temperature.schema, 0.7);

/** What `tiller sweep` can be told. */
export const sweepSettings = {
  feature: setting(
    '--feature <id>',
    'TILLER_SWEEP_FEATURE',
    'a feature, model/source/index or source/index, added; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  vector: setting(
    '--vector <name>',
    'TILLER_SWEEP_VECTOR',
    'a saved vector, name or name:version, added; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  steerings: textSetting(
    '--steerings <file>',
    'TILLER_SWEEP_STEERINGS',
    'JSON with steerings of several edits or other modes: a list of {"name", "edits"}, their numbers at strength 1',
  ),
  strengths: setting(
    '--strengths <list>',
    'TILLER_SWEEP_STRENGTHS',
    'what the numbers of the edits are multiplied by, with commas between them',
    numberList.nullable(),
    null,
    { defaultText: '0.5,1,1.5 for features, 0.1,0.2,0.4,0.8 for vectors; of several kinds it must be given' },
  ),
  unit: setting(
    '--unit <unit>',
    'TILLER_SWEEP_UNIT',
    `of --feature and --vector: ${steeringUnits.join(', ')}`,
    editSettings.unit.schema,
    null,
    { defaultText: 'max_activation for features, stream_norm for vectors' },
  ),
  prompt: setting(
    '--prompt <text>',
    'TILLER_SWEEP_PROMPT',
    'what is answered; repeat for several (the variable: commas)',
    names,
    () => ['Tell me about your day.', 'What makes a good dinner?', 'Describe a walk in the park.'],
    { repeatable: true, defaultText: 'three everyday questions' },
  ),
  seeds: seedsSetting('TILLER_SWEEP_SEEDS'),
  words: setting(
    '--words <list>',
    'TILLER_SWEEP_WORDS',
    'a score: whether a text says one of these words (commas between them)',
    z.string().min(1).nullable(),
    null,
  ),
  probe: setting(
    '--probe <name>',
    'TILLER_SWEEP_PROBE',
    'a score: what a saved vector, or a feature as source/index, reads in the text alone; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  maxTokens: setting('--max-tokens <n>', 'TILLER_SWEEP_MAX_TOKENS', 'longest text', wholeNumber(1, 2048), 48),
  temperature: measuredTemperature('TILLER_SWEEP_TEMPERATURE'),
  json: steerSettings.json,
} as const;
