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
  /** Writes them down as labels of a source that came with an artifact; in the caller's transaction where there is one. */
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
  const addAll = connection.transaction((labels: readonly NewLabel[]) => {
    for (const { feature, text, method, author, clarity, scores } of labels) {
      insert.run(feature, text, method, author, clarity, scores.length === 0 ? null : JSON.stringify(scores));
    }
  });
  const same = 'l.feature = s.feature and l.method = s.method and l.author = s.author and l.text = s.text';
  return {
    add: (labels) => addAll(labels),
    commit(source, artifact) {
      const total = Number(connection.prepare(`select count(*) from ${table}`).pluck().get());
      const run = (sql: string, ...values: unknown[]) => connection.prepare(sql).run(...values).changes;
      const keys = (sql: string, ...values: unknown[]) =>
        connection
          .prepare<unknown[], number>(sql)
          .pluck()
          .all(...values);
      return writeStore(store, () => {
        const last = Number(connection.prepare('select coalesce(max(id), 0) from labels').pluck().get());
        // The last file that names a label answers for it: what an earlier one's next version leaves out does not take it away.
        run(`update labels as l set artifact = ? from ${table} s where l.source = ? and ${same}`, artifact, source);
        const changed = new Set(
          keys(
            `update labels as l set clarity = s.clarity from ${table} s
             where l.source = ? and ${same} and s.clarity is not null and l.clarity is not s.clarity returning labels.id`,
            source,
          ),
        );
        const added = run(
          `insert into labels (source, feature, text, method, author, clarity, artifact)
           select ?, feature, text, method, author, clarity, ? from ${table} where true order by line
           on conflict do nothing`,
          source,
          artifact,
        );
        const scored = keys(
          `insert into label_scores (label, method, author, score, judgements)
           select l.id, j.value ->> 'method', j.value ->> 'author', j.value ->> 'score', j.value ->> 'judgements'
           from ${table} s join labels l on l.source = ? and ${same}, json_each(s.scores) j where s.scores is not null
           on conflict do update set score = excluded.score, judgements = excluded.judgements
           where score is not excluded.score or judgements is not excluded.judgements
           returning label`,
          source,
        );
        for (const key of scored) if (key <= last) changed.add(key);
        return { added, updated: changed.size, unchanged: total - added - changed.size };
      });
    },
    close: () => void connection.exec(`drop table if exists ${table}`),
  };
}
