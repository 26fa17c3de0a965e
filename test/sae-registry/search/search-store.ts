import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../../../sae-registry/store/index.ts';

/** A store in a temporary folder. */
export interface SearchStore {
  readonly path: string;
  readonly store: Store;
  /** Adds a source `model/name`; its row. */
  source(id: string, options?: { readonly layer?: number; readonly features?: number }): number;
  /** Adds labels, feature by feature from `first`; the ids of their rows. */
  label(source: number, texts: readonly string[], options?: LabelOptions): number[];
  density(source: number, densities: readonly number[]): void;
  /** Stores embeddings by label id. */
  embed(embeddings: ReadonlyMap<number, Int8Array>, embedder?: string): void;
  remove(): void;
}

export interface LabelOptions {
  readonly first?: number;
  readonly method?: string;
  readonly clarity?: number | null;
}

export async function searchStore(): Promise<SearchStore> {
  const folder = mkdtempSync(join(tmpdir(), 'tiller-search-'));
  const path = join(folder, 'registry.sqlite');
  const store = await openStore(path);
  const { connection } = store;
  const run = (sql: string, ...values: unknown[]) => Number(connection.prepare(sql).run(...values).lastInsertRowid);
  return {
    path,
    store,
    source(id, { layer = 3, features = 1000 } = {}) {
      const [model, name] = id.split('/');
      return run(
        `insert into sources (model, name, hook_point, layer, kind, activation, features, d_in, d_out, hash)
         values (?, ?, ?, ?, 'autoencoder', 'relu', ?, 4, 4, 'abc')`,
        ...[model, name, `blocks.${layer}.hook_resid_post`, layer, features],
      );
    },
    label(source, texts, { first = 0, method = 'by-hand', clarity = null } = {}) {
      const insert = connection.prepare(
        `insert into labels (source, feature, text, method, author, clarity) values (?, ?, ?, ?, 'me', ?)`,
      );
      const add = connection.transaction(() =>
        texts.map((text, at) => Number(insert.run(source, first + at, text, method, clarity).lastInsertRowid)),
      );
      return add();
    },
    density(source, densities) {
      const insert = connection.prepare(
        `insert or replace into statistics (source, feature, version, density, max, p999, mean, histogram, top_logits, bottom_logits, top_tokens)
         values (?, ?, '1', ?, 1, 1, 1, '[]', '[]', '[]', '[]')`,
      );
      for (const [feature, density] of densities.entries()) insert.run(source, feature, density);
    },
    embed(embeddings, embedder = 'test') {
      const insert = connection.prepare('insert into label_embeddings (label, embedder, embedding) values (?, ?, ?)');
      connection.transaction(() => {
        for (const [label, values] of embeddings) insert.run(label, embedder, Buffer.from(values.buffer));
      })();
    },
    remove() {
      store.close();
      rmSync(folder, { recursive: true });
    },
  };
}
