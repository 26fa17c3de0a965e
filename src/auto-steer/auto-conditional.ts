import { randomUUID } from 'node:crypto';
import { greedyRequest, inOrder, TillerError } from '../../engine/index.ts';
import type {
  AutoConditional,
  AutoConditionalRequest,
  Contrast,
  ContrastItem,
  EvaluationPrompt,
  RuleRequest,
} from '../../routes/services.ts';
import { formatSavedName } from '../../sae-registry/index.ts';
import { togetherOf } from '../evaluation/context.ts';
import { submitPatiently } from '../evaluation/submit-patiently.ts';
import { toWireEdit } from '../wire-edit.ts';
import { type AutoSteerContext, chatTokens } from './chat-tokens.ts';

/** Every third example is held out; folds of the rest. */
const heldOutEvery = 3;
const folds = 4;
/** Least mean of hits and correct rejections that counts as working. */
const leastBalancedAccuracy = 0.75;

/**
 * A rule whose condition tells prompts of a kind from others, as in CAST (Lee et al. 2024): the mean of the prompt along the difference of
 * means, half way between the two. It is run as a rule on the examples that are held out, which is what its figures are of.
 */
export async function findCondition(
  request: AutoConditionalRequest,
  context: AutoSteerContext,
): Promise<AutoConditional> {
  const { edits, hookPoints, saveAs, signal } = request;
  // what is to be done is looked up before anything is read
  context.resolveSteering({ edits });
  const positive = await promptsOf(request.positive, 'positive', context);
  const negative = await promptsOf(request.negative, 'negative', context);
  const isHeld = (_: unknown, at: number) => at % heldOutEvery === heldOutEvery - 1;
  const learned = (prompts: readonly EvaluationPrompt[]) => prompts.filter((one, at) => !isHeld(one, at)).map(itemOf);
  const contrast = await context.contrast({
    ...{ positive: learned(positive), negative: learned(negative), hookPoints, saveAs, signal },
    ...{ paired: false, method: 'difference_of_means', positions: 'mean', folds, features: null, nearest: 0 },
  });
  const { positiveMean, negativeMean } = contrast.vector.probe;
  const threshold = Number(((positiveMean + negativeMean) / 2).toPrecision(6));
  const rule = ruleOf(contrast, threshold);
  const fired = (prompts: readonly EvaluationPrompt[]) => firings(prompts.filter(isHeld), rule, signal, context);
  const held = { positive: positive.filter(isHeld).length, negative: negative.filter(isHeld).length };
  const measured = { ...held, hits: await fired(positive), falseAlarms: await fired(negative) };
  const { hookPoint, values, heldOut, saved } = contrast.vector;
  const { buffer, byteOffset, byteLength } = values;
  const vector =
    saved === null
      ? { hook_point: hookPoint, data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') }
      : formatSavedName(saved);
  const accuracy = (measured.hits / held.positive + 1 - measured.falseAlarms / held.negative) / 2;
  return {
    rule: { when: { vector, above: threshold, unit: 'raw', end_of_prompt: 'mean' }, do: edits.map(toWireEdit) },
    contrast: { hookPoint, heldOut, bagOfWords: contrast.bagOfWords, saved },
    measured,
    works: accuracy >= leastBalancedAccuracy,
    verdict: verdictOf(measured, accuracy),
  };
}

async function promptsOf(
  texts: readonly string[],
  name: string,
  context: AutoSteerContext,
): Promise<EvaluationPrompt[]> {
  const prompts: EvaluationPrompt[] = [];
  for (const [i, user] of texts.entries()) {
    prompts.push(await chatTokens(context, { user, system: null, param: `${name}[${i}]` }));
  }
  return prompts;
}

/** Read as the condition will read it: all of the prompt but its first token. */
function itemOf({ tokenIds, param }: EvaluationPrompt): ContrastItem {
  return { tokenIds, own: { from: 1, to: tokenIds.length }, answer: null, topic: null, param };
}

/** The rule alone, which only reports. */
function ruleOf({ vector: { hookPoint, values } }: Contrast, threshold: number): RuleRequest {
  return {
    when: {
      ...{ kind: 'compare', vector: { hookPoint, data: values }, bias: 0, hookPoint: null, above: true, threshold },
      ...{ unit: 'raw', over: 'mean', param: 'rule.when' },
    },
    ...{ latch: false, edits: [], stop: false, param: 'rule' },
  };
}

/** On how many prompts the rule's condition holds. */
async function firings(
  prompts: readonly EvaluationPrompt[],
  rule: RuleRequest,
  signal: AbortSignal,
  context: AutoSteerContext,
): Promise<number> {
  const { rules } = context.resolveSteering({ edits: [], rules: [rule] }, undefined, { rules: true });
  if (!rules) throw new TillerError('internal', 'a rule that came to nothing');
  const name = `auto-conditional-${randomUUID()}`;
  let fired = 0;
  const items = prompts.map((prompt, i) => ({ prompt, i }));
  for await (const held of inOrder(items, { together: togetherOf(context), signal }, async ({ prompt, i }, stop) => {
    const more = { rules, positionContext: prompt.positions([]), signal: stop };
    const request = greedyRequest(`${name}-${i}`, prompt.tokenIds, 1, more);
    for await (const event of submitPatiently(context.submit, request)) {
      if (event.type === 'finish') return (event.rules?.[0]?.timesFired ?? 0) > 0;
    }
    throw new TillerError('internal', 'a reply without an end');
  })) {
    fired += Number(held);
  }
  return fired;
}

function verdictOf({ positive, negative, hits, falseAlarms }: AutoConditional['measured'], accuracy: number): string {
  const figures = `the condition holds on ${hits} of ${positive} held-out prompts of the kind and on ${falseAlarms} of ${negative} others`;
  if (accuracy >= leastBalancedAccuracy) return `It works: ${figures}.`;
  return `Nothing worked: ${figures}. Give more examples, or examples that differ in nothing else.`;
}
