import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore, registerSource, writeRepeatable, writeStore } from '../../../sae-registry/store/index.ts';
import { applyMigrations, knownMigrations } from '../../../sae-registry/store/migrations.ts';
import * as schema from '../../../sae-registry/store/schema.ts';
import { sourceFacts } from './source-facts.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A store's file as the first migration alone leaves it. */
async function olderFile(name: string): Promise<string> {
  const path = join(folder, name);
  const connection = new Database(path);
  await applyMigrations(connection, path, knownMigrations().slice(0, 1));
  connection
    .prepare(
      `insert into sources (model, name, hook_point, kind, activation, features, d_in, d_out, hash)
       values ('m', 'old', 'hook_embed', 'autoencoder', 'relu', 4, 2, 2, 'h')`,
    )
    .run();
  connection.close();
  return path;
}

describe('the store', () => {
  it('has the tables and columns that schema.ts says', async () => {
    const { connection, close } = await openStore(null);
    const tables = Object.values(schema) as SQLiteTable[];
    for (const table of tables) {
      const { name, columns, primaryKeys } = getTableConfig(table);
      const together = primaryKeys.flatMap((key) => key.columns.map((column) => column.name));
      const said = columns.map((column) => ({
        name: column.name,
        type: column.getSQLType().toUpperCase(),
        notNull: column.notNull,
        key: column.primary || together.includes(column.name),
      }));
      const found = connection.pragma(`table_info(${name})`) as {
        name: string;
        type: string;
        notnull: number;
        pk: number;
      }[];
      const are = found.map(({ name: column, type, notnull, pk }) => ({
        name: column,
        type: type.toUpperCase(),
        notNull: notnull === 1,
        key: pk > 0,
      }));
      expect(are, name).toEqual(said);
    }
    close();
  });

  it('keeps what it was told, and knows it again', async () => {
    const path = join(folder, 'deep', 'down', 'tiller.db');
    const first = await openStore(path);
    expect(first.backup).toBeNull();
    registerSource(first, sourceFacts());
    first.close();
    const second = await openStore(path);
    expect(second.backup).toBeNull();
    expect(second.connection.prepare('select name from sources').pluck().all()).toEqual(['res']);
    expect(second.connection.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(second.connection.pragma('foreign_keys', { simple: true })).toBe(1);
    second.close();
  });

  it('copies an older file before it migrates it, and loses nothing', async () => {
    const path = await olderFile('older.db');
    const connection = new Database(path);
    const known = [
      ...knownMigrations(),
      { sql: ['create table later (x)'], bps: true, folderMillis: 9e12, hash: 'later' },
    ];
    const backup = await applyMigrations(connection, path, known);
    expect(backup).toBe(`${path}.before-${known.length}`);
    expect(connection.prepare('select name from sources').pluck().all()).toEqual(['old']);
    expect(connection.prepare('select count(*) from later').pluck().get()).toBe(0);
    expect(await applyMigrations(connection, path, known)).toBeNull();
    connection.close();
    const copy = new Database(backup as string);
    expect(copy.prepare('select name from sources').pluck().all()).toEqual(['old']);
    expect(copy.prepare(`select 1 from sqlite_master where name = 'later'`).get()).toBeUndefined();
    copy.close();
  });

  it('leaves the file as it was where a migration fails', async () => {
    const path = await olderFile('failing.db');
    const connection = new Database(path);
    const wrong = { sql: ['create table half (x)', 'no sql'], bps: true, folderMillis: 9e12, hash: 'wrong' };
    const tables = () => connection.prepare('select name from sqlite_master order by name').pluck().all();
    const before = tables();
    await expect(applyMigrations(connection, path, [...knownMigrations(), wrong])).rejects.toThrow(/syntax/);
    expect(tables()).toEqual(before);
    connection.close();
  });

  it('is made once by many who begin at the same time', async () => {
    const path = join(folder, 'together.db');
    const stores = await Promise.all([1, 2, 3, 4].map(() => openStore(path)));
    for (const store of stores) store.close();
    expect(existsSync(path)).toBe(true);
  });

  it.each([
    ['a newer version', 'newer.db', /newer version of Tiller/],
    ['another program', 'other.db', /database of another program.*--data-dir/],
    ['a text file', 'text.db', /not a database.*move it away/],
    ['a damaged file', 'damaged.db', /malformed|damaged|not a database/],
    ['a folder', '.', /cannot be opened/],
  ])('refuses %s', async (_what, name, message) => {
    const path = join(folder, name);
    if (name === 'newer.db') {
      const { connection, close } = await openStore(path);
      connection.prepare('insert into __drizzle_migrations (hash, created_at) values (?, ?)').run('x', 9e12);
      close();
    }
    if (name === 'other.db') new Database(path).exec('create table notes (x)').close();
    if (name === 'text.db') writeFileSync(path, 'These are my notes. '.repeat(500));
    if (name === 'damaged.db') {
      const { close } = await openStore(path);
      close();
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0x55, 100, 4096));
    }
    await expect(openStore(path)).rejects.toMatchObject({
      code: 'store_invalid',
      message: expect.stringMatching(message),
    });
  });
});

describe('work that is done again where it is lost', () => {
  const synchronous = { full: 2, normal: 1 };

  it('does not wait for the disk, and all after it does', async () => {
    const store = await openStore(join(folder, 'repeatable.db'));
    const level = () => store.connection.pragma('synchronous', { simple: true });
    expect(level()).toBe(synchronous.full);
    expect(writeRepeatable(store, level)).toBe(synchronous.normal);
    expect(level()).toBe(synchronous.full);
    expect(() =>
      writeRepeatable(store, () => {
        throw new Error('lost');
      }),
    ).toThrow('lost');
    expect(level()).toBe(synchronous.full);
    // As a part of what must not be lost it waits like that.
    expect(writeStore(store, () => writeRepeatable(store, level))).toBe(synchronous.full);
    store.close();
  });
});
