import { z } from 'zod';
import { scoreMethods } from '../sae-registry/labelling/trial.ts';
import { switchValue, wholeNumber } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

/** Where the endpoint's key is read from; src/config.ts reads it. */
export const labellerKeyVariable = 'TILLER_LABELLER_KEY';

const text = z.string().min(1, 'must not be empty');
const price = z
  .string()
  .regex(/^\d{1,6}(\.\d{1,9})?$/, 'must be a number of dollars')
  .transform(Number);
const endpointMessage = 'must be an http or https address without a user, up to /v1';
const endpoint = z
  .url({ protocol: /^https?$/, error: endpointMessage })
  .refine((url) => URL.canParse(url) && new URL(url).username === '' && !/[?#]/.test(url), endpointMessage);

/** Who labels and judges, and how fast. */
const labellerSettings = {
  endpoint: setting(
    '--endpoint <url>',
    'TILLER_LABELLER_ENDPOINT',
    'OpenAI-compatible endpoint up to /v1, such as http://127.0.0.1:8080/v1; its key is read from TILLER_LABELLER_KEY',
    endpoint.nullable(),
    null,
  ),
  labellerModel: setting(
    '--labeller-model <name>',
    'TILLER_LABELLER_MODEL',
    'model to ask there, the author of what it says',
    text.max(200, 'must be at most 200 characters').nullable(),
    null,
  ),
  concurrency: setting('--concurrency <n>', 'TILLER_LABELLER_CONCURRENCY', 'requests at once', wholeNumber(1, 256), 4),
  requestsPerMinute: setting(
    '--requests-per-minute <n>',
    'TILLER_LABELLER_REQUESTS_PER_MINUTE',
    'at most so many',
    wholeNumber(1, 1_000_000).nullable(),
    null,
    { defaultText: 'no limit' },
  ),
  tokensPerMinute: setting(
    '--tokens-per-minute <n>',
    'TILLER_LABELLER_TOKENS_PER_MINUTE',
    'at most so many, of prompts and answers together',
    wholeNumber(1, 1_000_000_000).nullable(),
    null,
    { defaultText: 'no limit' },
  ),
  answerTokens: setting(
    '--answer-tokens <n>',
    'TILLER_LABELLER_ANSWER_TOKENS',
    'longest answer; models that think need more',
    wholeNumber(8, 131_072),
    256,
  ),
  timeoutSeconds: setting(
    '--request-timeout-seconds <n>',
    'TILLER_LABELLER_TIMEOUT_SECONDS',
    'longest wait for an answer',
    wholeNumber(1, 3_600),
    120,
  ),
  retries: setting(
    '--retries <n>',
    'TILLER_LABELLER_RETRIES',
    'how often a request that failed is sent again',
    wholeNumber(0, 20),
    6,
  ),
  promptPrice: setting(
    '--prompt-price <dollars>',
    'TILLER_LABELLER_PROMPT_PRICE',
    'of a million tokens of prompts, to tell the cost',
    price.nullable(),
    null,
  ),
  answerPrice: setting(
    '--answer-price <dollars>',
    'TILLER_LABELLER_ANSWER_PRICE',
    'of a million tokens of answers, to tell the cost',
    price.nullable(),
    null,
  ),
} as const;

/** What both commands choose from. */
const choiceSettings = {
  features: textSetting('--features <list>', 'TILLER_LABEL_FEATURES', 'only these, like 7,12,100-199', 'all'),
  limit: setting(
    '--limit <n>',
    'TILLER_LABEL_LIMIT',
    'only the first so many of them',
    wholeNumber(1, 100_000_000).nullable(),
    null,
    { defaultText: 'all' },
  ),
  dryRun: setting('--dry-run', 'TILLER_LABEL_DRY_RUN', 'print the first question and ask nothing', switchValue, false),
  json: setting('--json', 'TILLER_JSON', 'print JSON', switchValue, false),
} as const;

/** What `tiller sae label` can be told. */
export const labelSettings = {
  ...labellerSettings,
  ...choiceSettings,
  onlyUnlabelled: setting(
    '--only-unlabelled',
    'TILLER_LABEL_ONLY_UNLABELLED',
    'leave out features that have a label of anybody else',
    switchValue,
    false,
  ),
  replace: setting(
    '--replace',
    'TILLER_LABEL_REPLACE',
    'label again what this model has labelled before; labels of others stay',
    switchValue,
    false,
  ),
} as const;

/** What `tiller sae score` can be told. */
export const scoreSettings = {
  ...labellerSettings,
  ...choiceSettings,
  scoreMethod: setting(
    '--score-method <method>',
    'TILLER_SCORE_METHOD',
    `${scoreMethods.join(' or ')}; repeat for both (the variable: commas)`,
    z.array(z.enum(scoreMethods, { error: `must be one of ${scoreMethods.join(', ')}` })).min(1),
    () => [...scoreMethods],
    { repeatable: true, defaultText: 'both' },
  ),
  labelMethod: textSetting(
    '--label-method <method>',
    'TILLER_SCORE_LABEL_METHOD',
    'only labels made by this method',
    'all',
  ),
  labelAuthor: textSetting('--label-author <name>', 'TILLER_SCORE_LABEL_AUTHOR', 'only labels by this author', 'all'),
  passages: setting(
    '--passages <n>',
    'TILLER_SCORE_PASSAGES',
    'passages of the feature that a label is judged on, and as many others',
    wholeNumber(2, 1_000),
    10,
  ),
  batch: setting('--batch <n>', 'TILLER_SCORE_BATCH', 'passages in one question', wholeNumber(1, 50), 5),
  scoreSeed: setting(
    '--score-seed <n>',
    'TILLER_SCORE_SEED',
    'seed of the draw of passages',
    wholeNumber(0, 2_147_483_647),
    0,
  ),
  replace: setting(
    '--replace',
    'TILLER_SCORE_REPLACE',
    'score again what this judge has scored before',
    switchValue,
    false,
  ),
} as const;

const labelsOf = (flag: string, variable: string, what: string) => textSetting(flag, variable, what, 'all');

/** What `tiller labels compare` can be told. */
export const labelsCompareSettings = {
  firstMethod: labelsOf(
    '--first-method <method>',
    'TILLER_LABELS_FIRST_METHOD',
    'of the first set: made by this method',
  ),
  firstAuthor: labelsOf('--first-author <name>', 'TILLER_LABELS_FIRST_AUTHOR', 'of the first set: by this author'),
  secondMethod: labelsOf('--second-method <method>', 'TILLER_LABELS_SECOND_METHOD', 'the same of the second set'),
  secondAuthor: labelsOf('--second-author <name>', 'TILLER_LABELS_SECOND_AUTHOR', 'the same of the second set'),
  least: setting(
    '--least <n>',
    'TILLER_LABELS_LEAST',
    'features to show that are least alike',
    wholeNumber(0, 10_000),
    10,
  ),
  json: choiceSettings.json,
} as const;
