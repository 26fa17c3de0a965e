import { z } from 'zod';
import { inspectionRankings } from '../routes/services.ts';
import { names } from './command-settings.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

const positionsMessage = 'must be all, last, positions (3,5,9), or FROM:TO (half open)';

/** What `tiller activations` asks for. */
export const activationsSettings = {
  only: setting(
    '--only <id>',
    'TILLER_ONLY',
    'read this feature (source/index) or this source alone; several times for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  perToken: setting(
    '--per-token <n>',
    'TILLER_PER_TOKEN',
    'features of each source told of each token',
    wholeNumber(0, 4096),
    3,
  ),
  perText: setting(
    '--per-text <n>',
    'TILLER_PER_TEXT',
    'features of each source told of each text',
    wholeNumber(0, 4096),
    10,
  ),
  rankBy: setting(
    '--rank-by <figure>',
    'TILLER_RANK_BY',
    inspectionRankings.join(', '),
    z.enum(inspectionRankings, { error: `must be one of ${inspectionRankings.join(', ')}` }),
    'max',
  ),
  includeSinks: setting(
    '--include-sinks',
    'TILLER_INCLUDE_SINKS',
    'count attention sinks like other tokens',
    switchValue,
    false,
  ),
  json: setting('--json', 'TILLER_JSON', 'print the answer of POST /api/v1/activations', switchValue, false),
  out: textSetting('--out <file>', 'TILLER_OUT', 'write the answer as a safetensors file instead of printing it'),
} as const;

/** What `tiller taps` asks for. */
export const tapsSettings = {
  hookPoint: setting(
    '--hook-point <name>',
    'TILLER_HOOK_POINT',
    'where to read; several times for several (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  positions: setting(
    '--positions <which>',
    'TILLER_TAP_POSITIONS',
    'all, last, positions (3,5,9), or FROM:TO (half open)',
    z.string().transform((text, context) => {
      if (text === 'all' || text === 'last') return text;
      const range = /^(\d{1,9}):(\d{1,9})$/.exec(text);
      if (range) return { from: Number(range[1]), to: Number(range[2]) };
      if (/^\d{1,9}(,\d{1,9})*$/.test(text)) return text.split(',').map(Number);
      context.addIssue({ code: 'custom', message: positionsMessage });
      return z.NEVER;
    }),
    'all',
  ),
  dtype: setting(
    '--dtype <type>',
    'TILLER_DTYPE',
    'f32 or f16',
    z.enum(['f32', 'f16'], { error: 'must be f32 or f16' }),
    'f32',
  ),
  out: textSetting('--out <file>', 'TILLER_OUT', 'the safetensors file to write', 'taps.safetensors'),
} as const;
