import { z } from 'zod';
import { names, steerSettings } from './command-settings.ts';
import { contrastSettings } from './contrast-settings.ts';
import { wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';
import { measuredTemperature, numberList, seedsSetting } from './sweep-settings.ts';

/** What `tiller auto-steer` can be told. */
export const autoSteerSettings = {
  pairs: textSetting(
    '--pairs <file>',
    'TILLER_AUTO_STEER_PAIRS',
    'replies as JSON lines of {"prompt", "positive", "negative"}: as they are wanted, and as they are not',
    'the model writes them, asked for it by a system prompt and not asked; a small model writes poor ones',
  ),
  question: setting(
    '--question <text>',
    'TILLER_AUTO_STEER_QUESTION',
    'what the model is asked for its replies; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true, defaultText: '24 everyday questions' },
  ),
  prompt: setting(
    '--prompt <text>',
    'TILLER_AUTO_STEER_PROMPT',
    'what a steering is tried on; repeat for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true, defaultText: '6 other everyday questions' },
  ),
  seeds: seedsSetting('TILLER_AUTO_STEER_SEEDS'),
  words: setting(
    '--words <list>',
    'TILLER_AUTO_STEER_WORDS',
    'words, with commas between them, that say whether it worked: a second score beside the direction that is found',
    z.string().min(1).nullable(),
    null,
  ),
  features: setting(
    '--features <n>',
    'TILLER_AUTO_STEER_FEATURES',
    'features that are tried beside the vector',
    wholeNumber(0, 16),
    2,
  ),
  vectorStrengths: setting(
    '--vector-strengths <list>',
    'TILLER_AUTO_STEER_VECTOR_STRENGTHS',
    'in median stream norms, with commas between them',
    numberList,
    [0.1, 0.2, 0.3, 0.45, 0.7],
    { defaultText: '0.1,0.2,0.3,0.45,0.7' },
  ),
  featureStrengths: setting(
    '--feature-strengths <list>',
    'TILLER_AUTO_STEER_FEATURE_STRENGTHS',
    'in maximal activations, with commas between them',
    numberList,
    [0.5, 1, 1.5, 2.5],
    { defaultText: '0.5,1,1.5,2.5' },
  ),
  maxTokens: setting('--max-tokens <n>', 'TILLER_AUTO_STEER_MAX_TOKENS', 'longest reply', wholeNumber(4, 512), 40),
  temperature: measuredTemperature('TILLER_AUTO_STEER_TEMPERATURE'),
  save: textSetting(
    '--save <name>',
    'TILLER_AUTO_STEER_SAVE',
    'save the vector, whether it works or not, as the next version of this name',
  ),
  json: steerSettings.json,
} as const;

/** What `tiller auto-conditional` can be told besides the edits. */
export const autoConditionalSettings = {
  positive: textSetting(
    '--positive <file>',
    'TILLER_AUTO_CONDITIONAL_POSITIVE',
    'user messages that the edits are for, six at least: a line each, or JSON lines of texts where the name ends in .jsonl',
  ),
  negative: textSetting(
    '--negative <file>',
    'TILLER_AUTO_CONDITIONAL_NEGATIVE',
    'others, likewise; the more alike in all else, the better',
  ),
  hookPoint: contrastSettings.hookPoint,
  save: textSetting(
    '--save <name>',
    'TILLER_AUTO_CONDITIONAL_SAVE',
    "save the condition's vector as the next version of this name",
  ),
  json: steerSettings.json,
} as const;
