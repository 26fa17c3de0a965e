import { inParallel } from '../../engine/core/index.ts';
import { detectionTrials } from './detection-trials.ts';
import { Failures } from './failures.ts';
import { fuzzingTrials } from './fuzzing-trials.ts';
import { judgementPrompt } from './judgement-prompt.ts';
import type { Labeller } from './labeller.ts';
import { beginJob, endJob, failJob } from './labelling-job.ts';
import { drawNegatives } from './negatives.ts';
import { parseJudgements } from './parse-judgements.ts';
import { planScores, type ScoreTask, type Scoring } from './score-plan.ts';
import { seededRandom } from './seeded-random.ts';
import { balancedAccuracy, emptyTally, f1, judgements, type Tally, tally } from './tally.ts';
import { batches, type ScoreMethod, type Trial } from './trial.ts';
import { writeScore } from './written-scores.ts';

export interface ScoreRun extends ScoreTask {
  readonly labeller: Labeller;
  /** Labels at once; each asks one question after the other. */
  readonly concurrency: number;
  readonly onProgress: (done: number, total: number) => void;
}

/** What was found by one method. */
export interface MethodScores {
  readonly labels: number;
  /** Mean of the labels' balanced accuracies; null without any. */
  readonly mean: number | null;
  readonly judgements: number;
}

export interface ScoreResult {
  readonly scores: Readonly<Record<ScoreMethod, MethodScores>>;
  /** Trials that were asked and got no judgement. */
  readonly unjudged: number;
  /** Why labels got no score, and answers no judgement, and how many. */
  readonly failed: ReadonlyMap<string, number>;
}

/**
 * Scores what is missing; like a run of labels it may be cut off anywhere and begun again. An answer that is missing or malformed is no
 * judgement, neither right nor wrong. Throws like `runLabels`.
 */
export async function runScores(run: ScoreRun): Promise<ScoreResult> {
  const { store, labeller } = run;
  const { todo, done, job: description } = planScores(run);
  const job = beginJob(store, description, done, done + todo.length);
  const failures = new Failures();
  const sums = { detection: newSum(), fuzzing: newSum() };
  let [ended, unjudged] = [done, 0];
  try {
    await inParallel(todo, run.concurrency, async ({ label, method }) => {
      const { trials, seen } = trialsOf({ label, method }, run);
      if (trials.length === 0) failures.add(noTrials[method]);
      const counts = await judge(label.text, method, trials, run, failures);
      const score = counts && balancedAccuracy(counts);
      unjudged += counts?.unjudged ?? 0;
      if (counts !== null && score !== null) {
        const written = { label: label.key, method, author: labeller.name, score, judgements: judgements(counts) };
        if (writeScore(store, job, { ...written, f1: f1(counts), counts: { ...counts, seen } })) {
          addTo(sums[method], score, counts);
        }
      } else if (counts !== null && trials.length > 0) failures.add('Too few judgements for a score.');
      run.onProgress(++ended, done + todo.length);
    });
  } catch (error) {
    failJob(store, job, error);
    throw error;
  }
  endJob(store, job, sums.detection.labels + sums.fuzzing.labels, failures.reasons);
  return {
    scores: { detection: meanOf(sums.detection), fuzzing: meanOf(sums.fuzzing) },
    unjudged,
    failed: failures.reasons,
  };
}

const noTrials: Readonly<Record<ScoreMethod, string>> = {
  detection: 'Detection needs passages of the feature and of others; there are none.',
  fuzzing: 'Fuzzing needs two passages with the activation of each token, some of them silent; there are none.',
};

/** What a label is judged by: the same for the same seed and the same examples. */
export function trialsOf(
  { label, method }: Scoring,
  { evidence, choice }: Pick<ScoreTask, 'evidence' | 'choice'>,
): { readonly trials: readonly Trial[]; readonly seen: number } {
  const passages = evidence.passages(label.feature);
  const random = seededRandom(choice.seed, label.feature, method === 'detection' ? 1 : 2);
  if (method === 'fuzzing') return fuzzingTrials(passages, choice.passages * 2, random);
  const negatives = drawNegatives(
    label.feature,
    passages,
    evidence,
    Math.min(choice.passages, passages.length),
    random,
  );
  return detectionTrials(passages, negatives, choice.passages, random);
}

/** Null where a request failed: what is left would be a score of other trials, and the next run asks again. */
async function judge(
  label: string,
  method: ScoreMethod,
  trials: readonly Trial[],
  { labeller, choice }: ScoreRun,
  failures: Failures,
): Promise<Tally | null> {
  let counts = emptyTally;
  for (const group of batches(trials, choice.batch)) {
    let judged: readonly boolean[] | null = null;
    try {
      judged = parseJudgements(await labeller.ask(judgementPrompt(method, label, group)), group.length);
      failures.succeeded();
      if (judged === null) failures.add('The answer holds no judgements.');
    } catch (error) {
      failures.request(error);
      return null;
    }
    counts = tally(
      counts,
      group.map(({ truth }) => truth),
      judged,
    );
  }
  return counts;
}

interface Sum {
  labels: number;
  score: number;
  judgements: number;
}

function newSum(): Sum {
  return { labels: 0, score: 0, judgements: 0 };
}

function addTo(sum: Sum, score: number, counts: Tally): void {
  sum.labels++;
  sum.score += score;
  sum.judgements += judgements(counts);
}

function meanOf({ labels, score, judgements: judged }: Sum): MethodScores {
  return { labels, mean: labels === 0 ? null : score / labels, judgements: judged };
}
