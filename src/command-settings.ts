import { z } from 'zod';
import { steeringModes, steeringUnits } from '../engine/core/index.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

const finite = z
  .string()
  .regex(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, 'must be a number')
  .transform(Number)
  .pipe(z.number({ error: 'must be a finite number' }));

const positionNames = ['all_but_first', 'all', 'prompt', 'generated', 'assistant', 'last'] as const;
const positionsMessage = `must be one of ${positionNames.join(', ')}, or FROM:TO in prompt tokens (half open)`;

const positions = z.union(
  [
    z.enum(positionNames),
    z
      .string()
      .regex(/^\d{1,9}:\d{1,9}$/)
      .transform((range) => {
        const [from = 0, to = 0] = range.split(':').map(Number);
        return { from, to };
      })
      .refine(({ from, to }) => from < to, positionsMessage),
  ],
  { error: positionsMessage },
);

/** Several names, none empty. */
export const names = z.array(z.string().min(1, 'must not be empty'));

/** What to steer by: each begins an edit. The variables hold where the command line names neither. */
export const targetSettings = {
  feature: setting(
    '--feature <id>',
    'TILLER_FEATURE',
    'steer by a feature: model/source/index or source/index; the index alone while one source is loaded (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
  vector: setting(
    '--vector <name>',
    'TILLER_VECTOR',
    'steer by a direction: a saved one, name or name:version, or HOOK_POINT=FILE with raw little-endian float32 (the variable: commas)',
    names,
    () => [],
    { repeatable: true },
  ),
} as const;

/** Rules of a steering. */
export const ruleSettings = {
  rules: textSetting(
    '--rules <file>',
    'TILLER_RULES',
    'JSON with conditions and what they do: a list as in steering.rules, or {"rules": [...]}',
    'no rules',
  ),
} as const;

/** How one edit works; on the command line they follow the edit's `--feature` or `--vector`. */
export const editSettings = {
  mode: setting(
    '--mode <mode>',
    'TILLER_MODE',
    steeringModes.join(', '),
    z.enum(steeringModes, { error: `must be one of ${steeringModes.join(', ')}` }),
    'add',
  ),
  strength: setting('--strength <x>', 'TILLER_STRENGTH', 'for add: how much', finite.nullable(), null),
  value: setting('--value <x>', 'TILLER_VALUE', 'for set, pin, floor, cap: the activation', finite.nullable(), null),
  factor: setting('--factor <x>', 'TILLER_FACTOR', 'for scale, orthogonal: what part is kept', finite.nullable(), null),
  unit: setting(
    '--unit <unit>',
    'TILLER_UNIT',
    steeringUnits.join(', '),
    z.enum(steeringUnits, { error: `must be one of ${steeringUnits.join(', ')}` }).nullable(),
    null,
    { defaultText: 'max_activation for features, stream_norm for vectors' },
  ),
  positions: setting(
    '--positions <which>',
    'TILLER_POSITIONS',
    `${positionNames.join(', ')}, or FROM:TO`,
    positions,
    'all_but_first',
  ),
  onlyIfActive: setting(
    '--only-if-active',
    'TILLER_ONLY_IF_ACTIVE',
    'touch only tokens where the feature fires',
    switchValue,
    false,
  ),
  skipSpecial: setting(
    '--skip-special',
    'TILLER_SKIP_SPECIAL',
    "leave the chat template's tokens alone",
    switchValue,
    false,
  ),
} as const;

/** What `tiller steer` can be told besides the edits. */
export const steerSettings = {
  maxTokens: setting('--max-tokens <n>', 'TILLER_MAX_TOKENS', 'longest reply', wholeNumber(1, 1_048_576), 64),
  seed: setting('--seed <n>', 'TILLER_SEED', 'seed of both replies', wholeNumber(0, 4_294_967_295), 0),
  temperature: setting(
    '--temperature <x>',
    'TILLER_TEMPERATURE',
    '0 always takes the likeliest token',
    finite.pipe(z.number().min(0, 'must be from 0 to 2').max(2, 'must be from 0 to 2')),
    0,
  ),
  repetitionPenalty: setting(
    '--repetition-penalty <x>',
    'TILLER_REPETITION_PENALTY',
    'above 1, tokens already seen become less likely; 1 is off',
    finite.pipe(z.number().min(0.1, 'must be from 0.1 to 10').max(10, 'must be from 0.1 to 10')),
    1.1,
  ),
  json: setting('--json', 'TILLER_JSON', 'print JSON', switchValue, false),
} as const;

export const pullSettings = {
  verify: setting(
    '--verify',
    'TILLER_VERIFY',
    'hash a cached file again instead of trusting its mark',
    switchValue,
    false,
  ),
} as const;

/** What `tiller collect` can be told. */
export const collectSettings = {
  texts: textSetting('--texts <file>', 'TILLER_TEXTS', 'JSON lines, each {"text"} or {"messages"}', 'the bundled ones'),
  out: textSetting('--out <file>', 'TILLER_OUT', 'where to write', 'the cache, where serve and steer find it'),
} as const;

export const doctorSettings = { json: steerSettings.json } as const;
