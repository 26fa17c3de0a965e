import type {
  AutoSteer,
  AutoSteerCandidate,
  AutoSteerRequest,
  AutoSteerService,
  EvaluationPrompt,
  TextTarget,
} from '../../routes/services.ts';
import { scaledEdit } from '../evaluation/dose-evaluation.ts';
import { checkRuns } from '../evaluation/run-limits.ts';
import { toWireEdit } from '../wire-edit.ts';
import { findCondition } from './auto-conditional.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { type AutoSteerContext, chatTokens } from './chat-tokens.ts';
import { contrastPairs } from './pair-contrast.ts';
import { promptedTexts } from './prompted.ts';
import { tryingQuestions } from './questions.ts';
import { isEffect, verdictOf } from './verdict.ts';
import { replyPairs } from './written-pairs.ts';

/** How many examples of the pairs an answer shows, and how often a dose is looked for between two. */
const shownPairs = 4;
const refine = 1;

/** Looking for steerings over one loaded model. */
export function autoSteerService(context: AutoSteerContext): AutoSteerService {
  return {
    find: (request) => findSteering(request, context),
    findCondition: (request) => findCondition(request, context),
  };
}

async function findSteering(request: AutoSteerRequest, context: AutoSteerContext): Promise<AutoSteer> {
  const { seeds, sampling, limits, signal, features, vectorStrengths, featureStrengths } = request;
  const prompts: (EvaluationPrompt & { readonly user: string })[] = [];
  for (const [i, user] of (request.prompts ?? tryingQuestions).entries()) {
    prompts.push({ ...(await chatTokens(context, { user, system: null, param: `prompts[${i}]` })), user });
  }
  const doses = (strengths: readonly number[]) => 1 + strengths.length + refine;
  checkRuns(
    { prompts, seeds, sampling },
    2 + doses(vectorStrengths) + features * doses(featureStrengths),
    context.card,
  );
  const pairs = await replyPairs(request, context);
  const contrast = await contrastPairs(pairs, context, { saveAs: request.saveAs, signal });
  const candidates = await candidatesOf(contrast, pairs, request, context);
  const targets = targetsOf(contrast.vector, request);
  const tried: (Candidate & AutoSteerCandidate)[] = [];
  let left = features;
  for (const candidate of candidates) {
    if (candidate.kind === 'feature' && left-- <= 0) {
      tried.push({ ...candidate, evaluation: null });
      continue;
    }
    const { edit, strengths } = candidate;
    const dose = { prompts, seeds, sampling, targets, limits, signal, refine, edits: [edit], strengths };
    tried.push({ ...candidate, evaluation: await context.evaluation.doseResponse(dose) });
  }
  const prompted = await promptedTexts(request, prompts, targets, context);
  const chosen = chooseOf(tried);
  const { hookPoint, heldOut, saved } = contrast.vector;
  return {
    targets,
    pairs: {
      by: request.pairs === null ? 'model' : 'request',
      count: pairs.length,
      examples: pairs.slice(0, shownPairs).map(({ prompt, positive, negative }) => ({ prompt, positive, negative })),
    },
    contrast: { hookPoint, heldOut, bagOfWords: contrast.bagOfWords, saved },
    candidates: tried.map(({ kind, name, label, inputScore, outputScore, evaluation }) => {
      return { kind, name, label, inputScore, outputScore, evaluation };
    }),
    prompted,
    chosen,
    verdict: verdictOf({ heldOut, byModel: request.pairs === null, chosen, prompted, tried }),
  };
}

/** The direction that was found, as a probe of what is written; and the words, where there are any. */
function targetsOf(
  { hookPoint, values }: { readonly hookPoint: string; readonly values: Float32Array },
  { words }: AutoSteerRequest,
): readonly TextTarget[] {
  return [
    { kind: 'probe', name: 'contrast', vector: { hookPoint, data: values }, hookPoint: null, param: 'contrast' },
    ...(words === null ? [] : [{ kind: 'words', name: 'words', words } as const]),
  ];
}

/** The candidate and fluent dose that move what is written most, where that is an effect. */
function chooseOf(tried: readonly (Candidate & AutoSteerCandidate)[]): AutoSteer['chosen'] {
  const found = tried.flatMap(({ name, edit, evaluation }) => {
    const dose = evaluation?.doses.find(({ strength }) => strength === evaluation.best);
    if (!dose || !isEffect(dose)) return [];
    const { samples: _samples, ...point } = dose;
    return [
      { candidate: name, strength: dose.strength, edits: [toWireEdit(scaledEdit(edit, dose.strength))], dose: point },
    ];
  });
  const change = (one: (typeof found)[number]) => one.dose.effects[0]?.change ?? 0;
  return found.sort((a, b) => change(b) - change(a))[0] ?? null;
}
