import { TillerError } from '../../engine/core/index.ts';
import {
  batches,
  judgementPrompt,
  namedSource,
  openEvidence,
  parseFeatureRanges,
  planScores,
  runScores,
  type ScoreResult,
  type ScoreTask,
  type Scoring,
  scoreMethods,
  sourceId,
  trialsOf,
} from '../../sae-registry/labelling/index.ts';
import type { Store } from '../../sae-registry/store/index.ts';
import type { ProgressDisplay } from '../cli/progress-display.ts';
import type { scoreSettings } from '../labelling-settings.ts';
import type { SettingValues } from '../setting.ts';
import { counted, failureLines, promptText, spentLine } from './command-text.ts';
import { connectLabeller, endpointOf, pricesOf } from './endpoint-settings.ts';
import { estimateWork } from './estimate.ts';
import { cost, describeTokens, Spending } from './spending.ts';

export type ScoreSettings = SettingValues<typeof scoreSettings>;

export interface ScoreCommand {
  readonly store: Store;
  /** Its id, or its name. */
  readonly source: string;
  readonly settings: ScoreSettings;
  readonly key: string | null;
  readonly display: ProgressDisplay;
}

/** `tiller sae score`: scores the labels that have no score of this judge, and returns what is to be printed. Throws like `runScores`. */
export async function scoreCommand({ store, source: name, settings, key, display }: ScoreCommand): Promise<string> {
  const endpoint = endpointOf(settings);
  if (endpoint === null && !settings.dryRun) {
    throw new TillerError('invalid_request', 'Scores need a judge: name --endpoint and --labeller-model.', {
      param: 'endpoint',
    });
  }
  const source = namedSource(store, name);
  const features =
    settings.features === null ? null : parseFeatureRanges(settings.features, source.features, 'features');
  const { limit, replace, passages, batch, scoreSeed: seed, labelMethod: method, labelAuthor: author } = settings;
  // Each once and in one order, so that the same choice is the same job.
  const methods = scoreMethods.filter((one) => settings.scoreMethod.includes(one));
  const task: ScoreTask = {
    ...{ store, source, evidence: openEvidence(store, source.key), labeller: { name: endpoint?.model ?? '' } },
    choice: { methods, features, limit, replace, seed, passages, batch, method, author },
  };
  const { todo, done } = planScores(task);
  const prompts = (scoring: Scoring) => promptsOf(scoring, task);
  const estimate = estimateWork(todo, prompts, settings.answerTokens);
  const before = done === 0 ? '' : ` (${done} there already)`;
  display.onNotice(
    `${counted(todo.length, 'score')} of ${sourceId(source)} to make${before}, in ${counted(estimate.requests, 'request')}; about ${describeTokens(estimate, pricesOf(settings))} at most.`,
  );
  if (endpoint === null || settings.dryRun) return firstQuestions(todo, prompts);
  const spending = new Spending();
  const labeller = connectLabeller(endpoint, settings, { key, spending, onNotice: display.onNotice });
  const label = `Scoring ${sourceId(source)}`;
  const onProgress = (ended: number, total: number) => display.onProgress({ label, done: ended, total, unit: 'items' });
  try {
    const result = await runScores({ ...task, labeller, concurrency: settings.concurrency, onProgress });
    return settings.json ? resultJson(result, done, spending, settings) : resultText(result, spending, settings);
  } catch (error) {
    if (spending.requests > 0) display.onNotice(spentLine(spending, pricesOf(settings)));
    throw error;
  }
}

function promptsOf(scoring: Scoring, task: ScoreTask) {
  const { trials } = trialsOf(scoring, task);
  return batches(trials, task.choice.batch).map((group) => judgementPrompt(scoring.method, scoring.label.text, group));
}

/** The first question of each method. */
function firstQuestions(todo: readonly Scoring[], prompts: (scoring: Scoring) => ReturnType<typeof promptsOf>): string {
  const texts = scoreMethods.flatMap((method) => {
    for (const scoring of todo) {
      const [first] = scoring.method === method ? prompts(scoring) : [];
      if (first) return [`${method} of a label of feature ${scoring.label.feature}:\n${promptText(first)}`];
    }
    return [];
  });
  return texts.length === 0 ? 'There is nothing to ask.' : texts.join('\n\n');
}

function resultText({ scores, unjudged, failed }: ScoreResult, spending: Spending, settings: ScoreSettings): string {
  const lines = scoreMethods.flatMap((method) => {
    const { labels, mean, judgements } = scores[method];
    if (mean === null) return [];
    return [
      `${method}: ${counted(labels, 'label')}, mean balanced accuracy ${mean.toFixed(3)} of ${judgements} judgements`,
    ];
  });
  return [
    ...(lines.length === 0 ? ['No scores were made.'] : lines),
    ...(unjudged > 0 ? [`${counted(unjudged, 'passage')} got no judgement; they count neither way.`] : []),
    ...failureLines(failed).map((line) => `Missing: ${line}`),
    ...(spending.requests > 0 ? [spentLine(spending, pricesOf(settings))] : []),
  ].join('\n');
}

function resultJson(
  { scores, unjudged, failed }: ScoreResult,
  before: number,
  spending: Spending,
  settings: ScoreSettings,
) {
  const { requests, prompt, answer, estimated } = spending;
  return JSON.stringify({
    scores,
    scored_before: before,
    unjudged,
    failed: Object.fromEntries(failed),
    spent: {
      ...{ requests, prompt_tokens: prompt, answer_tokens: answer, estimated_answers: estimated },
      dollars: cost(spending, pricesOf(settings)),
    },
  });
}
