import type { KnownSource, Store } from '../store/index.ts';
import type { Labeller } from './labeller.ts';
import { type JobDescription, jobKey, unfinishedArtifact } from './labelling-job.ts';
import { sourceId } from './named-source.ts';
import type { StoredEvidence } from './stored-evidence.ts';
import { tokenLabelAuthor, tokenLabelMethod } from './token-label.ts';
import { type Authorship, labelledBy, labelledByOthers } from './written-labels.ts';

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

/** What labels are made of, and by whom. */
export interface LabelTask {
  readonly store: Store;
  readonly source: KnownSource;
  readonly evidence: StoredEvidence;
  readonly choice: LabelChoice;
  /** Null: from tokens alone, without a model. */
  readonly labeller: Pick<Labeller, 'name'> | null;
}

export interface LabelPlan {
  readonly by: Authorship;
  readonly job: JobDescription;
  /** To be labelled, in this order. */
  readonly todo: readonly number[];
  /** Chosen, and labelled already: by an earlier run, or by this one before it was cut off. */
  readonly done: number;
  /** Chosen by name, but nothing is known of them. */
  readonly unknown: readonly number[];
}

/** What is to be labelled. Writes nothing; a run that was cut off is looked up, so that it goes on. */
export function planLabels(task: LabelTask): LabelPlan {
  const { store, source, evidence, choice } = task;
  const by = authorship(task.labeller);
  const job = jobOf(task, by);
  const known = new Set(task.labeller === null ? evidence.known : evidence.features);
  const chosen = choice.features ?? [...known];
  const others = choice.onlyUnlabelled ? labelledByOthers(store, source.key, by) : null;
  const taken = chosen
    .filter((feature) => known.has(feature) && !others?.has(feature))
    .slice(0, choice.limit ?? undefined);
  const done = doneBefore(task, by, job);
  const todo = taken.filter((feature) => !done.has(feature));
  return { by, job, todo, done: taken.length - todo.length, unknown: chosen.filter((feature) => !known.has(feature)) };
}

function doneBefore({ store, source, choice }: LabelTask, by: Authorship, job: JobDescription): Set<number> {
  if (!choice.replace) return labelledBy(store, source.key, by);
  const artifact = unfinishedArtifact(store, job);
  return artifact === null ? new Set() : labelledBy(store, source.key, by, artifact);
}

/** A job is another where anything differs that changes what it makes. */
function jobOf({ source, choice }: LabelTask, { method, author }: Authorship): JobDescription {
  return {
    kind: 'label',
    key: jobKey(source.key, { method, author, ...choice }),
    origin: `tiller sae label ${sourceId(source)} (${method}, ${author})`,
  };
}

function authorship(labeller: LabelTask['labeller']): Authorship {
  return labeller === null
    ? { method: tokenLabelMethod, author: tokenLabelAuthor }
    : { method: exampleLabelMethod, author: labeller.name };
}
