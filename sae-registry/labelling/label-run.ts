import { setImmediate } from 'node:timers/promises';
import { inParallel } from '../../engine/core/index.ts';
import { Failures } from './failures.ts';
import { type LabelPlan, type LabelTask, planLabels } from './label-plan.ts';
import { labelPrompt } from './label-prompt.ts';
import type { Labeller } from './labeller.ts';
import { beginJob, endJob, failJob, type LabellingJob } from './labelling-job.ts';
import { parseLabel } from './parse-label.ts';
import type { Evidence } from './passage.ts';
import { tokenLabel } from './token-label.ts';
import { writeLabels } from './written-labels.ts';

/** Labels without a model cost next to nothing: they are written so many at a time. */
const tokenLabelsAtOnce = 500;

export interface LabelRun extends LabelTask {
  /** Null: from tokens alone, without a model. */
  readonly labeller: Labeller | null;
  /** Requests at once. */
  readonly concurrency: number;
  readonly onProgress: (done: number, total: number) => void;
}

export interface LabelResult {
  readonly labelled: number;
  /** Why features got no label, and how many. */
  readonly failed: ReadonlyMap<string, number>;
}

/**
 * Labels what is missing. Each label of a model is in the store before its worker asks for the next, so that a run may be cut off anywhere
 * and begun again. Throws `labeller_refused`, and `labeller_unavailable` where requests fail one after the other.
 */
export async function runLabels(run: LabelRun): Promise<LabelResult> {
  const { store, labeller } = run;
  const plan = planLabels(run);
  const job = beginJob(store, plan.job, plan.done, plan.done + plan.todo.length);
  const failures = new Failures();
  try {
    const make = labeller === null ? labelByTokens : labelByModel(labeller);
    const labelled = await make(run, plan, job, failures);
    endJob(store, job, labelled, failures.reasons);
    return { labelled, failed: failures.reasons };
  } catch (error) {
    failJob(store, job, error);
    throw error;
  }
}

type Make = (run: LabelRun, plan: LabelPlan, job: LabellingJob, failures: Failures) => Promise<number>;

function labelByModel(labeller: Labeller): Make {
  return async ({ store, source, evidence, choice, concurrency, onProgress }, { by, todo, done }, job, failures) => {
    let [labelled, ended] = [0, done];
    await inParallel(todo, concurrency, async (feature) => {
      const text = await ask(labeller, evidence.evidence(feature), failures);
      const made = text === null ? [] : [{ source: source.key, feature, text, ...by }];
      if (made.length > 0) labelled += writeLabels(store, job, made, choice.replace);
      onProgress(++ended, done + todo.length);
    });
    return labelled;
  };
}

const labelByTokens: Make = async (
  { store, source, evidence, choice, onProgress },
  { by, todo, done },
  job,
  failures,
) => {
  let labelled = 0;
  for (let start = 0; start < todo.length; start += tokenLabelsAtOnce) {
    const features = todo.slice(start, start + tokenLabelsAtOnce);
    const made = features.flatMap((feature) => {
      const text = tokenLabel(evidence.evidence(feature));
      if (text === null) failures.add('No tokens are known of the feature.');
      return text === null ? [] : [{ source: source.key, feature, text, ...by }];
    });
    labelled += writeLabels(store, job, made, choice.replace);
    onProgress(done + start + features.length, done + todo.length);
    await setImmediate();
  }
  return labelled;
};

/** Null where there is no label; `failures` is told why. */
async function ask(labeller: Labeller, evidence: Evidence, failures: Failures): Promise<string | null> {
  try {
    const label = parseLabel(await labeller.ask(labelPrompt(evidence)));
    failures.succeeded();
    if (label === null) failures.add('The answer holds no label.');
    return label;
  } catch (error) {
    failures.request(error);
    return null;
  }
}
