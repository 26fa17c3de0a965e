import { z } from 'zod';
import { steerSettings } from './command-settings.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

/** What subcommands of `tiller sae` that print something can be told. */
export const saeSettings = { json: steerSettings.json } as const;

/** What `tiller sae stats` can be told. */
export const statsSettings = {
  texts: textSetting(
    '--texts <file>',
    'TILLER_TEXTS',
    'JSON lines, each {"text"} or {"messages"}, or plain text; - is standard input',
    'the bundled ones',
  ),
  prompts: textSetting(
    '--prompts <file>',
    'TILLER_PROMPTS',
    'read what the model answers to these instead; written as --texts',
  ),
  sequenceTokens: setting(
    '--sequence-tokens <n>',
    'TILLER_SEQUENCE_TOKENS',
    'longer texts are cut into sequences of so many tokens',
    wholeNumber(2, 1_048_576),
    256,
  ),
  answerTokens: setting(
    '--answer-tokens <n>',
    'TILLER_ANSWER_TOKENS',
    'longest answer to a prompt',
    wholeNumber(1, 1_048_576),
    128,
  ),
  restart: setting('--restart', 'TILLER_RESTART', 'begin anew, whatever an earlier run has left', switchValue, false),
} as const;

/** What the above come to. */
export interface StatsSettings {
  readonly texts: string | null;
  readonly prompts: string | null;
  readonly sequenceTokens: number;
  readonly answerTokens: number;
  readonly restart: boolean;
}

/** What `tiller sae eval` can be told. */
export const evalSettings = {
  texts: statsSettings.texts,
  sequenceTokens: statsSettings.sequenceTokens,
  tokens: setting(
    '--tokens <n>',
    'TILLER_TOKENS',
    'read so many tokens at most',
    wholeNumber(2, 1_000_000_000),
    20_000,
  ),
} as const;

/** What the above come to. */
export interface EvalSettings {
  readonly texts: string | null;
  readonly sequenceTokens: number;
  readonly tokens: number;
}

const similarities = ['decoder', 'activation'] as const;

/** What `tiller sae compare` can be told. */
export const saeCompareSettings = {
  ...saeSettings,
  by: setting(
    '--by <what>',
    'TILLER_BY',
    'decoder: the cosines of decoder vectors; activation: the correlations of activations on texts, which loads the model',
    z.enum(similarities, { error: `must be one of ${similarities.join(', ')}` }),
    'decoder',
  ),
  pairs: setting('--pairs <n>', 'TILLER_PAIRS', 'how many pairs are listed, best first', wholeNumber(0, 1_000_000), 10),
  ...evalSettings,
} as const;

/** What the above come to. */
export interface CompareSettings extends EvalSettings {
  readonly by: (typeof similarities)[number];
}

/** What `tiller sae add` can be told. */
export const saeAddSettings = {
  name: textSetting(
    '--name <name>',
    'TILLER_NAME',
    "the source's name: the second part of its id, model/name",
    'what its card, its folder or the catalog says',
  ),
} as const;
