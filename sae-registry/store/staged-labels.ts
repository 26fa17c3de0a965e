import type { Statement } from 'better-sqlite3';
import type { Label, LabelScore } from './labels.ts';
import { type Store, writeStore } from './open-store.ts';

export interface NewLabel extends Label {
  readonly feature: number;
  readonly scores: readonly LabelScore[];
}

export interface LabelCounts {
  /** Labels that were not there. */
  readonly added: number;
  /** Labels that were there with another clarity or without one of the scores. */
  readonly updated: number;
  /** Labels that were there just so, or twice in the file. */
  readonly unchanged: number;
}

/** Labels on their way into the store: nobody sees them before `commit`, and then all at once. */
export interface StagedLabels {
  add(labels: readonly NewLabel[]): void;
  /** Writes them down as labels of a source that came with an artifact, and begins anew; in the caller's transaction where there is one. */
  commit(source: number, artifact: number): LabelCounts;
  /** Forgets them; call it in any case. */
  close(): void;
}

let staged = 0;

/**
 * Collects labels in a table of this connection alone: a file of any size is checked before the first line of it is written,
 * and other writers wait only for the last step.
 */
export function stageLabels(store: Store): StagedLabels {
  const { connection } = store;
  const table = `temp.staged_labels_${staged++}`;
  connection.exec(`create table ${table} (
    line integer primary key, feature integer, text text, method text, author text, clarity real, scores text)`);
  const insert = connection.prepare(
    `insert into ${table} (feature, text, method, author, clarity, scores) values (?, ?, ?, ?, ?, ?)`,
  );
  let [total, scored] = [0, false];
  const addAll = connection.transaction((labels: readonly NewLabel[]) => {
    for (const { feature, text, method, author, clarity, scores } of labels) {
      insert.run(feature, text, method, author, clarity, scores.length === 0 ? null : JSON.stringify(scores));
      scored ||= scores.length > 0;
    }
    total += labels.length;
  });
  const statements = new Map<string, Statement<unknown[]>>();
  const prepared = (sql: string) => {
    const statement = statements.get(sql) ?? connection.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  const run = (sql: string, ...values: unknown[]) => prepared(sql).run(...values).changes;
  const keys = (sql: string, ...values: unknown[]) =>
    prepared(sql)
      .pluck()
      .all(...values) as number[];
  // Which labels they are: `cross` keeps SQLite from reading all labels of the source to find a few.
  const same = 'l.feature = s.feature and l.method = s.method and l.author = s.author and l.text = s.text';
  const matching = `${table} s cross join labels l on l.source = ? and ${same}`;
  return {
    add: (labels) => addAll(labels),
    commit(source, artifact) {
      const counts = writeStore(store, () => {
        const last = Number(prepared('select coalesce(max(id), 0) from labels').pluck().get());
        const added = run(
          `insert into labels (source, feature, text, method, author, clarity, artifact)
           select ?, feature, text, method, author, clarity, ? from ${table} where true order by line
           on conflict do nothing`,
          source,
          artifact,
        );
        const changed = new Set(added === total ? [] : update(source, artifact, last));
        for (const key of scored ? score(source) : []) if (key <= last) changed.add(key);
        run(`delete from ${table}`);
        return { added, updated: changed.size, unchanged: total - added - changed.size };
      });
      [total, scored] = [0, false];
      return counts;
    },
    close: () => void connection.exec(`drop table if exists ${table}`),
  };

  /** Brings labels that were there, up to the row `last`, up to date; the keys of those whose clarity is another one now. */
  function update(source: number, artifact: number, last: number): number[] {
    // The last file that names a label answers for it: what an earlier one's next version leaves out does not take it away.
    run(
      `update labels set artifact = ? where id in (select l.id from ${matching} where l.id <= ?)`,
      artifact,
      source,
      last,
    );
    return keys(
      `update labels set clarity = its.clarity
       from (select l.id, s.clarity from ${matching}
             where l.id <= ? and s.clarity is not null and l.clarity is not s.clarity) its
       where labels.id = its.id returning labels.id`,
      source,
      last,
    );
  }

  /** The keys of the labels whose scores are other ones now. */
  function score(source: number): number[] {
    return keys(
      `insert into label_scores (label, method, author, score, judgements)
       select l.id, j.value ->> 'method', j.value ->> 'author', j.value ->> 'score', j.value ->> 'judgements'
       from ${matching}, json_each(s.scores) j where s.scores is not null
       on conflict do update set score = excluded.score, judgements = excluded.judgements, f1 = null, counts = null, artifact = null
       where score is not excluded.score or judgements is not excluded.judgements
       returning label`,
      source,
    );
  }
}
