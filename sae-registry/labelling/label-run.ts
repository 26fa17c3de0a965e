import type { Store } from '../store/open-store.ts';
import { Failures } from './failures.ts';
import { inParallel } from './in-parallel.ts';
import { labelPrompt } from './label-prompt.ts';
import type { LabelledSource } from './labelled-source.ts';
import type { Labeller } from './labeller.ts';
import { beginJob, endJob, type LabellingJob, setJobTotal } from './labelling-job.ts';
import { parseLabel } from './parse-label.ts';
import type { Evidence } from './passage.ts';
import type { StoredEvidence } from './stored-evidence.ts';
import { tokenLabel, tokenLabelAuthor, tokenLabelMethod } from './token-label.ts';
import { type Authorship, labelledBy, labelledByOthers, writeLabel } from './written-labels.ts';

/** Method of labels that a model makes from examples. */
export const exampleLabelMethod = 'llm-examples';

export interface LabelChoice {
  /** Only these; null: all of which anything is known. */
  readonly features: readonly number[] | null;
  /** Only so many, from the first on; null: all. */
  readonly limit: number | null;
  /** Leave out what has a label of anybody else. */
  readonly onlyUnlabelled: boolean;
  /** Label again what this author has labelled by this method before. */
  readonly replace: boolean;
}

export interface LabelPlan {
  readonly by: Authorship;
  /** To be labelled, in this order. */
  readonly todo: readonly number[];
  /** Chosen, and labelled already: by an earlier run, or by this one before it was cut off. */
  readonly done: number;
  /** Chosen, but nothing is known of them. */
  readonly unknown: readonly number[];
}

export interface LabelResult {
  readonly labelled: number;
  /** Why features got no label, and how many. */
  readonly failed: ReadonlyMap<string, number>;
}

export interface LabelRun {
  readonly store: Store;
  readonly source: LabelledSource;
  readonly evidence: StoredEvidence;
  readonly choice: LabelChoice;
  /** Null: labels from tokens alone. */
  readonly labeller: Labeller | null;
  /** Requests at once. */
  readonly concurrency: number;
  readonly onProgress: (done: number, total: number) => void;
}

/** What is to be labelled. Writes nothing: a run that was cut off is looked up, not begun. */
export function planLabels(run: Omit<LabelRun, 'onProgress' | 'concurrency'>, job: LabellingJob | null): LabelPlan {
  const { store, source, evidence, choice, labeller } = run;
  const by = authorOf(labeller);
  const known = new Set(evidence.known);
  const chosen = choice.features ?? evidence.known;
  const others = choice.onlyUnlabelled ? labelledByOthers(store, source.row, by) : new Set<number>();
  const limited = chosen
    .filter((feature) => known.has(feature) && !others.has(feature))
    .slice(0, choice.limit ?? undefined);
  const done = choice.replace
    ? job === null
      ? new Set<number>()
      : labelledBy(store, source.row, by, job.artifact)
    : labelledBy(store, source.row, by);
  const todo = limited.filter((feature) => !done.has(feature));
  return { by, todo, done: limited.length - todo.length, unknown: chosen.filter((feature) => !known.has(feature)) };
}

/**
 * Labels what is missing. Each label is in the store before the next question of its worker is asked, so that a run may be cut off
 * anywhere and begun again. Throws `labeller_refused`, and `labeller_unavailable` where requests fail one after the other.
 */
export async function runLabels(run: LabelRun): Promise<LabelResult> {
  const { store, source, evidence, choice, labeller } = run;
  const job = beginJob(store, jobOf(run));
  const { by, todo, done } = planLabels(run, job);
  const total = done + todo.length;
  setJobTotal(store, job, done, total);
  const failures = new Failures();
  let [labelled, ended] = [0, done];
  try {
    await inParallel(todo, labeller === null ? 1 : run.concurrency, async (feature) => {
      const text = await labelOf(evidence.evidence(feature), labeller, failures);
      if (text !== null && writeLabel(store, job, { source: source.row, feature, text, ...by }, choice.replace))
        labelled++;
      run.onProgress(++ended, total);
    });
  } catch (error) {
    endJob(store, job, error instanceof Error ? error.message : String(error));
    throw error;
  }
  endJob(store, job, failures.reasons.size === 0 ? null : [...failures.reasons.keys()].join(' '));
  return { labelled, failed: failures.reasons };
}

/** A job is another where anything differs that changes what it makes; an unfinished one of the same goes on. */
export function jobOf({ source, choice, labeller }: Pick<LabelRun, 'source' | 'choice' | 'labeller'>) {
  const { method, author } = authorOf(labeller);
  const key = JSON.stringify({ source: source.row, method, author, ...choice });
  return { kind: 'label' as const, key, origin: `tiller sae label ${source.id} (${method}, ${author})` };
}

function authorOf(labeller: Labeller | null): Authorship {
  return labeller === null
    ? { method: tokenLabelMethod, author: tokenLabelAuthor }
    : { method: exampleLabelMethod, author: labeller.name };
}

/** Null where there is none; `failures` is told why. */
async function labelOf(evidence: Evidence, labeller: Labeller | null, failures: Failures): Promise<string | null> {
  if (labeller === null) {
    const label = tokenLabel(evidence);
    if (label === null) failures.add('No tokens are known of the feature.');
    return label;
  }
  try {
    const answer = await labeller.ask(labelPrompt(evidence));
    failures.succeeded();
    const label = parseLabel(answer);
    if (label === null) failures.add('The answer holds no label.');
    return label;
  } catch (error) {
    failures.request(error);
    return null;
  }
}
