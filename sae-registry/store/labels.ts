import type { Store } from './open-store.ts';

/** How well a label tells where its feature fires, as one method and judge found. */
export interface LabelScore {
  /** `detection`, `fuzzing`, or what an import calls it. */
  readonly method: string;
  readonly author: string;
  /** The higher the better. */
  readonly score: number;
  /** Of how many judgements; null where that is not known. */
  readonly judgements: number | null;
}

/** What somebody, or something, wrote about a feature: a description, not a measurement. */
export interface Label {
  readonly text: string;
  readonly method: string;
  readonly author: string;
  /** The higher the clearer, as its author counts it. Of the bundled labels: 3 one theme, 2 mostly, 1 mixed. */
  readonly clarity: number | null;
}

export interface StoredLabel extends Label {
  /** Its row. */
  readonly key: number;
  readonly feature: number;
  readonly scores: readonly LabelScore[];
  /** Key of the artifact that it came with; null where that is not known. */
  readonly artifact: number | null;
  /** Unix milliseconds. */
  readonly addedAt: number;
}

interface LabelRow {
  readonly key: number;
  readonly feature: number;
  readonly text: string;
  readonly method: string;
  readonly author: string;
  readonly clarity: number | null;
  readonly artifact: number | null;
  readonly addedAt: number;
  readonly scores: string | null;
}

/** Written by a person first, then by its mean score (an unscored one counts as a coin's throw), then the older. */
const order = `(l.method = 'human') desc, coalesce((select avg(s.score) from label_scores s where s.label = l.id), 0.5) desc, l.id`;

const columns = `
  l.id as key, l.feature, l.text, l.method, l.author, l.clarity, l.artifact, l.added_at as addedAt,
  (select json_group_array(json_object('method', s.method, 'author', s.author, 'score', s.score, 'judgements', s.judgements))
   from (select * from label_scores where label = l.id order by method, author) s) as scores`;

/** The labels of one feature, the one to show first. */
export function labelsOf({ connection }: Store, source: number, feature: number): StoredLabel[] {
  const sql = `select ${columns} from labels l where l.source = ? and l.feature = ? order by ${order}`;
  return connection.prepare<unknown[], LabelRow>(sql).all(source, feature).map(fromRow);
}

/** The text of the label to show of a feature; null where it has none. */
export function shownLabel({ connection }: Store, source: number, feature: number): string | null {
  const sql = `select l.text from labels l where l.source = ? and l.feature = ? order by ${order} limit 1`;
  return connection.prepare<unknown[], string>(sql).pluck().get(source, feature) ?? null;
}

/** The labels of the next `features` features that have any, after one; by feature, each feature's oldest first. */
export function labelPage({ connection }: Store, source: number, after: number, features: number): StoredLabel[] {
  const next = 'select distinct feature from labels where source = ? and feature > ? order by feature limit ?';
  const sql = `select ${columns} from labels l where l.source = ? and l.feature > ?
    and l.feature <= (select max(feature) from (${next})) order by l.feature, l.id`;
  return connection.prepare<unknown[], LabelRow>(sql).all(source, after, source, after, features).map(fromRow);
}

/**
 * All labels of a source by feature, each feature's oldest first. Reads as it goes: nothing else may be written through the
 * same connection meanwhile.
 */
export function* eachLabel({ connection }: Store, source: number): Generator<StoredLabel> {
  const sql = `select ${columns} from labels l where l.source = ? order by l.feature, l.id`;
  for (const row of connection.prepare<unknown[], LabelRow>(sql).iterate(source)) yield fromRow(row);
}

/** How many labels a source has. */
export function countLabels({ connection }: Store, source: number): number {
  return Number(connection.prepare('select count(*) from labels where source = ?').pluck().get(source));
}

function fromRow({ scores, ...row }: LabelRow): StoredLabel {
  return { ...row, scores: scores === null ? [] : (JSON.parse(scores) as LabelScore[]) };
}
