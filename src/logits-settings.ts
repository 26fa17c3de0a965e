import { z } from 'zod';
import { mostTopLogits } from '../engine/core/index.ts';
import { names, steerSettings } from './command-settings.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting } from './setting.ts';

const wordsMessage = 'must be last, all, FROM:TO (half open), or positions with commas (negative: from the end)';

/** Positions as the API takes them. */
const at = z.union(
  [
    z.enum(['last', 'all']),
    z
      .string()
      .regex(/^\d{1,9}:\d{1,9}$/)
      .transform((range) => {
        const [from = 0, to = 0] = range.split(':').map(Number);
        return { from, to };
      }),
    z
      .string()
      .regex(/^-?\d{1,9}(?:,-?\d{1,9})*$/)
      .transform((list) => list.split(',').map(Number)),
  ],
  { error: wordsMessage },
);

/** What `tiller logits` can be told besides edits. */
export const logitsSettings = {
  chat: setting(
    '--chat',
    'TILLER_LOGITS_CHAT',
    'the text is a user’s message, which the model is about to answer',
    switchValue,
    false,
  ),
  at: setting('--at <positions>', 'TILLER_LOGITS_AT', 'last, all, FROM:TO, or 0,3,-1', at, 'last'),
  top: setting('--top <n>', 'TILLER_LOGITS_TOP', 'likeliest tokens at each position', wholeNumber(0, mostTopLogits), 5),
  token: setting('--token <token>', 'TILLER_LOGITS_TOKEN', 'a token to tell of: a text, or id:N', names, () => [], {
    repeatable: true,
    verbatim: true,
  }),
  lens: setting('--lens', 'TILLER_LOGITS_LENS', 'what the stream says after each block', switchValue, false),
  place: setting(
    '--place <hook_point>',
    'TILLER_LOGITS_PLACE',
    'a place of the stream for the lens, in place of every block',
    names,
    () => [],
    { repeatable: true },
  ),
  through: setting(
    '--through <direction>',
    'TILLER_LOGITS_THROUGH',
    'what a feature (source/index) or a saved vector (vector:NAME) writes to the logits',
    names,
    () => [],
    { repeatable: true },
  ),
  score: setting(
    '--score',
    'TILLER_LOGITS_SCORE',
    'how likely the text itself is, token by token; with edits, beside how likely it is without them',
    switchValue,
    false,
  ),
  json: steerSettings.json,
} as const;
