import type { KnownSource, Store } from '../store/index.ts';
import type { Labeller } from './labeller.ts';
import { type JobDescription, jobKey, unfinishedArtifact } from './labelling-job.ts';
import { sourceId } from './named-source.ts';
import type { StoredEvidence } from './stored-evidence.ts';
import type { ScoreMethod } from './trial.ts';
import { type LabelFilter, type ScoredLabel, scoredBy, storedLabels } from './written-scores.ts';

export interface ScoreChoice extends LabelFilter {
  readonly methods: readonly ScoreMethod[];
  /** Only labels of these features; null: of all. */
  readonly features: readonly number[] | null;
  /** Only so many labels, from the first on; null: all. */
  readonly limit: number | null;
  /** Score again what this judge has scored before. */
  readonly replace: boolean;
  readonly seed: number;
  /** Passages of the feature for a label, and as many others. */
  readonly passages: number;
  /** Judged in one request. */
  readonly batch: number;
}

export interface ScoreTask {
  readonly store: Store;
  readonly source: KnownSource;
  readonly evidence: StoredEvidence;
  readonly choice: ScoreChoice;
  readonly labeller: Pick<Labeller, 'name'>;
}

/** One label by one method. */
export interface Scoring {
  readonly label: ScoredLabel;
  readonly method: ScoreMethod;
}

export interface ScorePlan {
  readonly job: JobDescription;
  readonly todo: readonly Scoring[];
  /** Chosen, and scored already. */
  readonly done: number;
}

/** What is to be scored. Writes nothing; a run that was cut off is looked up, so that it goes on. */
export function planScores(task: ScoreTask): ScorePlan {
  const { store, source, choice, labeller } = task;
  const job = jobOf(task);
  const features = choice.features === null ? null : new Set(choice.features);
  const chosen = storedLabels(store, source.key, choice)
    .filter(({ feature }) => features === null || features.has(feature))
    .slice(0, choice.limit ?? undefined)
    .flatMap((label) => choice.methods.map((method) => ({ label, method })));
  const unfinished = choice.replace ? unfinishedArtifact(store, job) : null;
  const done =
    choice.replace && unfinished === null
      ? new Set<string>()
      : scoredBy(store, source.key, labeller.name, unfinished ?? undefined);
  const todo = chosen.filter(({ label, method }) => !done.has(`${label.key} ${method}`));
  return { job, todo, done: chosen.length - todo.length };
}

function jobOf({ source, choice, labeller }: ScoreTask): JobDescription {
  return {
    kind: 'score',
    key: jobKey(source.key, { judge: labeller.name, ...choice }),
    origin: `tiller sae score ${sourceId(source)} (${choice.methods.join(', ')}, ${labeller.name}, seed ${choice.seed})`,
  };
}
