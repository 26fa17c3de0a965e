import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type Store } from '../../sae-registry/store/index.ts';
import { cacheDirectory } from '../checkout.ts';

export interface BenchLabel {
  readonly feature: number;
  readonly text: string;
  readonly clarity: number | null;
}

/** A store in a folder of its own, beside the cache: what is measured is a file on a disk. */
export class BenchStore {
  readonly #folder: string;
  readonly store: Store;
  readonly path: string;

  private constructor(folder: string, path: string, store: Store) {
    this.#folder = folder;
    this.path = path;
    this.store = store;
  }

  static async open(): Promise<BenchStore> {
    const folder = mkdtempSync(join(cacheDirectory, 'bench-search-'));
    const path = join(folder, 'tiller.db');
    return new BenchStore(folder, path, await openStore(path));
  }

  /** Adds a source with labels, in transactions of some thousand; the ids of the labels. */
  add(id: string, layer: number, labels: readonly BenchLabel[]): number[] {
    const [model, name] = id.split('/');
    const { connection } = this.store;
    const { lastInsertRowid: source } = connection
      .prepare(
        `insert into sources (model, name, hook_point, layer, kind, activation, features, d_in, d_out, hash)
         values (?, ?, ?, ?, 'autoencoder', 'relu', ?, 4, 4, 'bench')`,
      )
      .run(model, name, `blocks.${layer}.hook_resid_post`, layer, labels.length);
    const insert = connection.prepare(
      `insert into labels (source, feature, text, method, author, clarity) values (?, ?, ?, 'bench', 'bench', ?)`,
    );
    const addSome = connection.transaction((some: readonly BenchLabel[]) =>
      some.map(({ feature, text, clarity }) => Number(insert.run(source, feature, text, clarity).lastInsertRowid)),
    );
    const ids: number[] = [];
    const many = 10_000;
    for (let at = 0; at < labels.length; at += many) ids.push(...addSome(labels.slice(at, at + many)));
    return ids;
  }

  /** Stores embeddings, in the order of the labels, in place of those that the embedder may have made of some meanwhile. */
  embed(labels: readonly number[], embedder: string, values: (at: number) => Int8Array): void {
    const insert = this.store.connection.prepare(
      'insert or replace into label_embeddings (label, embedder, embedding) values (?, ?, ?)',
    );
    const many = 10_000;
    const addFrom = this.store.connection.transaction((from: number) => {
      for (let at = from; at < Math.min(from + many, labels.length); at++) {
        const { buffer, byteOffset, byteLength } = values(at);
        insert.run(labels[at], embedder, Buffer.from(buffer, byteOffset, byteLength));
      }
    });
    for (let at = 0; at < labels.length; at += many) addFrom(at);
  }

  /** Bytes on disk once everything has been written to its place. */
  fileBytes(): number {
    this.store.connection.pragma('wal_checkpoint(TRUNCATE)');
    return statSync(this.path).size;
  }

  remove(): void {
    this.store.close();
    rmSync(this.#folder, { recursive: true });
  }
}
