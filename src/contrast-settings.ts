import { z } from 'zod';
import { contrastMethodNames, contrastPositions } from '../routes/contrast-port.ts';
import { names, steerSettings } from './command-settings.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

const oneOf = <const Names extends readonly string[]>(list: Names) =>
  z.enum(list, { error: `must be one of ${list.join(', ')}` });

/** What `tiller contrast` can be told. */
export const contrastSettings = {
  method: setting(
    '--method <method>',
    'TILLER_METHOD',
    contrastMethodNames.join(', '),
    oneOf(contrastMethodNames),
    'difference_of_means',
  ),
  hookPoint: setting(
    '--hook-point <name>',
    'TILLER_HOOK_POINT',
    'where to look; of several the best is taken; by default the stream after each block of the middle half (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  at: setting('--at <tokens>', 'TILLER_AT', contrastPositions.join(', '), oneOf(contrastPositions), 'mean'),
  folds: setting('--folds <n>', 'TILLER_FOLDS', 'parts that are held out in turn', wholeNumber(2, 20), 5),
  save: textSetting('--save <name>', 'TILLER_SAVE', 'save the vector as the next version of this name'),
  features: setting('--features <n>', 'TILLER_FEATURES', 'features listed of each source', wholeNumber(1, 200), 10),
  json: steerSettings.json,
} as const;

/** What `tiller demo personality` can be told. */
export const demoSettings = {
  data: setting(
    '--data <name>',
    'TILLER_DATA',
    'two personas: a bundled data set (cheerful-gloomy, formal-casual) or a file of pairs in JSON lines',
    z.string().min(1, 'must not be empty'),
    'cheerful-gloomy',
  ),
  prompt: setting(
    '--prompt <text>',
    'TILLER_PROMPT',
    'what both personas answer',
    z.string().min(1, 'must not be empty'),
    'Tell me about your day.',
  ),
  maxTokens: steerSettings.maxTokens,
  seed: steerSettings.seed,
  quick: setting(
    '--quick',
    'TILLER_QUICK',
    'fewer pairs and fewer test replies: rougher, in a minute',
    switchValue,
    false,
  ),
  json: steerSettings.json,
} as const;
