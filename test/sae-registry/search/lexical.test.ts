import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noFilters, type SearchFilters, type SearchQuery } from '../../../sae-registry/search/query.ts';
import { Searcher } from '../../../sae-registry/search/searcher.ts';
import { type SearchStore, searchStore } from './search-store.ts';

let its: SearchStore;
let searcher: Searcher;

beforeEach(async () => {
  its = await searchStore();
  searcher = new Searcher(its.path);
});

afterEach(() => {
  searcher.close();
  its.remove();
});

const query = (text: string, filters: Partial<SearchFilters> = {}, rest: Partial<SearchQuery> = {}): SearchQuery => ({
  text,
  filters: { ...noFilters, ...filters },
  mode: null,
  limit: 10,
  cursor: null,
  ...rest,
});
const indices = (text: string, filters: Partial<SearchFilters> = {}) =>
  searcher.search(query(text, filters), null).hits.map(({ index }) => index);

describe('search by words', () => {
  it('finds plurals and endings, whatever case and accents', () => {
    const source = its.source('toy/a');
    its.label(source, ['stories about cats', 'Cafés in Paris', 'running a race', 'a box of glass', 'nothing else']);
    expect(indices('story')).toEqual([0]);
    expect(indices('CAT')).toEqual([0]);
    expect(indices('cafe')).toEqual([1]);
    expect(indices('run')).toEqual([2]);
    expect(indices('boxes')).toEqual([3]);
    expect(indices('zebra')).toEqual([]);
  });

  it('prefers whole words to beginnings, more words to fewer, and rarer words to commoner ones', () => {
    const source = its.source('toy/a');
    its.label(source, ['songbirds', 'songs', 'songs of birds', 'a tree', 'a tall tree']);
    expect(indices('song')).toEqual([1, 2, 0]);
    expect(indices('bird song')[0]).toBe(2);
    expect(indices('tall trees')).toEqual([4, 3]);
    expect(indices('so')).toEqual([]);
  });

  it('prefers the clearer of equal labels, then the lower index', () => {
    const source = its.source('toy/a');
    its.label(source, ['blue sky'], { first: 9, clarity: 1 });
    its.label(source, ['blue sky'], { first: 4, clarity: 1 });
    its.label(source, ['blue sky'], { first: 7, clarity: 3 });
    its.label(source, ['blue sky'], { first: 2 });
    expect(indices('sky')).toEqual([7, 4, 9, 2]);
  });

  it('gives a feature once, with the label that was found, its highlights and its rank', () => {
    const source = its.source('toy/a', { layer: 5 });
    its.label(source, ['cats'], { method: 'first', clarity: 2 });
    its.label(source, ['😀 the cat, and another cat'], { method: 'second' });
    its.density(source, [0.25]);
    const { hits, mode, embeddings, next } = searcher.search(query('another cats'), null);
    expect({ mode, embeddings, next }).toEqual({ mode: 'lexical', embeddings: { done: 0, total: 2 }, next: null });
    expect(hits).toHaveLength(1);
    expect(hits[0]).toMatchObject({
      id: 'toy/a/0',
      layer: 5,
      density: 0.25,
      label: { text: '😀 the cat, and another cat', method: 'second', author: 'me', clarity: null },
      lexicalRank: 1,
      semanticRank: null,
      highlights: [
        { start: 6, end: 9 },
        { start: 15, end: 22 },
        { start: 23, end: 26 },
      ],
    });
  });

  it('searches for stop words only where there is nothing else', () => {
    const source = its.source('toy/a');
    its.label(source, ["the word 'the'", 'the sea', 'rivers']);
    expect(indices('the')).toEqual([1, 0]);
    expect(indices('what is the river')).toEqual([2]);
  });

  it('keeps step with whatever is written', () => {
    const source = its.source('toy/a');
    const [first = 0] = its.label(source, ['apples', 'pears']);
    expect(indices('apple')).toEqual([0]);
    its.label(source, ['green apples'], { first: 5 });
    expect(indices('apple')).toEqual([0, 5]);
    its.store.connection.prepare('update labels set text = ? where id = ?').run('plums', first);
    expect(indices('apple')).toEqual([5]);
    expect(indices('plum')).toEqual([0]);
    its.store.connection
      .prepare(
        `insert or replace into labels (source, feature, text, method, author) values (?, 5, 'green apples', 'by-hand', 'me')`,
      )
      .run(source);
    expect(indices('green')).toEqual([5]);
    its.store.connection.prepare('delete from sources where id = ?').run(source);
    expect(indices('plum')).toEqual([]);
    its.store.connection.prepare(`insert into labels_text(labels_text) values ('integrity-check')`).run();
  });

  it('is no syntax for whatever is written into it', () => {
    const source = its.source('toy/a');
    its.label(source, ['an AND of "quotes" NEAR(a b) col:umn -minus * ^start']);
    for (const text of ['"', 'AND OR NOT x', 'a NEAR(', '* x', 'text:a', '(', '-x', '^x', 'x"y', "'x'", '\0x']) {
      expect(() => searcher.search(query(text.includes('x') ? text : `${text} x`), null)).not.toThrow();
    }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        try {
          searcher.search(query(text), null);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request', param: 'q' });
          expect(text).not.toMatch(/[\p{L}\p{N}]/u);
        }
      }),
    );
  });

  it('refuses a text without words', () => {
    expect(() => searcher.search(query(' ?! '), null)).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'q' }),
    );
  });
});

describe('filters', () => {
  beforeEach(() => {
    const a = its.source('toy/a', { layer: 3 });
    const b = its.source('toy/b', { layer: 5 });
    const c = its.source('other/a', { layer: 3 });
    its.label(a, ['cats', 'cats', 'cats'], { method: 'one' });
    its.label(b, ['cats'], { first: 10, method: 'two' });
    its.label(c, ['cats'], { first: 20, method: 'one' });
    its.density(a, [0.1, 0.01, 0.001]);
  });

  it.each([
    [{}, [0, 1, 2, 10, 20]],
    [{ model: 'toy' }, [0, 1, 2, 10]],
    [{ sources: ['a'] }, [0, 1, 2, 20]],
    [{ sources: ['toy/a'] }, [0, 1, 2]],
    [{ sources: ['toy/b', 'other/a'] }, [10, 20]],
    [{ layers: [5] }, [10]],
    [{ model: 'toy', layers: [3] }, [0, 1, 2]],
    [{ methods: ['two'] }, [10]],
    [{ density: { min: 0.005, max: null } }, [0, 1]],
    [{ density: { min: 0.005, max: 0.05 } }, [1]],
    [{ density: { min: 0.5, max: null } }, []],
  ])('%j', (filters, expected) => {
    expect(indices('cats', filters)).toEqual(expected);
  });

  it.each([
    [{ model: 'toyy' }, 'model_not_found', 'model', ['toy']],
    [{ sources: ['toy/c'] }, 'source_not_found', 'sources', ['toy/a', 'toy/b']],
    [{ model: 'other', sources: ['b'] }, 'source_not_found', 'sources', ['a']],
    [{ layers: [4] }, 'invalid_request', 'layers', []],
    [{ methods: ['on'] }, 'invalid_request', 'methods', ['one']],
  ])('refuses %j, with what there is', (filters, code, param, suggestions) => {
    expect(() => indices('cats', filters)).toThrow(
      expect.objectContaining({ code, param, suggestions: expect.arrayContaining(suggestions) }),
    );
  });

  it('sees statistics that came later', () => {
    expect(indices('cats', { density: { min: 0.5, max: null } })).toEqual([]);
    its.density(1, [0.1, 0.9, 0.001]);
    expect(indices('cats', { density: { min: 0.5, max: null } })).toEqual([1]);
  });
});

describe('pages', () => {
  const pages = (text: string, between: () => void = () => {}): number[][] => {
    const all: number[][] = [];
    let cursor: string | null = null;
    do {
      const page = searcher.search(query(text, {}, { limit: 3, cursor }), null);
      all.push(page.hits.map(({ index }) => index));
      cursor = page.next;
      between();
    } while (cursor !== null);
    return all;
  };

  it('follow each other without gaps, and end', () => {
    const source = its.source('toy/a');
    its.label(source, Array(8).fill('cats'));
    expect(pages('cat')).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ]);
  });

  it('are not moved by labels that come meanwhile', () => {
    const source = its.source('toy/a');
    its.label(source, Array(7).fill('cats'), { first: 100 });
    let added = 0;
    const seen = pages('cat', () => its.label(source, ['cats'], { first: added++ }));
    expect(seen).toEqual([[100, 101, 102], [103, 104, 105], [106]]);
    expect(indices('cat').slice(0, 2)).toEqual([0, 1]);
  });

  it('go on after the last feature where labels were taken away', () => {
    const source = its.source('toy/a');
    const ids = its.label(source, Array(7).fill('cats'));
    const page = searcher.search(query('cat', {}, { limit: 3 }), null);
    its.store.connection.prepare('delete from labels where id in (?, ?)').run(ids[0], ids[4]);
    const rest = searcher.search(query('cat', {}, { limit: 9, cursor: page.next }), null);
    expect(rest.hits.map(({ index }) => index)).toEqual([3, 5, 6]);
  });

  it('refuse a cursor that is none, or another search’s', () => {
    its.label(its.source('toy/a'), Array(7).fill('cats'));
    const { next } = searcher.search(query('cat', {}, { limit: 3 }), null);
    for (const [text, cursor] of [
      ['cat', 'x'],
      ['cat', Buffer.from('[1]').toString('base64url')],
      ['cats', next],
    ] as const) {
      expect(() => searcher.search(query(text, {}, { cursor }), null)).toThrow(
        expect.objectContaining({ code: 'invalid_request', param: 'cursor' }),
      );
    }
  });
});

describe('words that very many labels have', () => {
  it('come after what the rarer words find', () => {
    const source = its.source('toy/a', { features: 30_000 });
    const texts = Array.from({ length: 25_000 }, (_, at) => `common ${at % 2 === 0 ? 'even' : 'odd'} w${at}`);
    its.label(source, texts);
    its.label(source, ['rare thing', 'rare odd thing'], { first: 26_000 });
    expect(indices('rare odd').slice(0, 2)).toEqual([26_001, 26_000]);
    expect(indices('common odd')).toHaveLength(10);
    for (const index of indices('common odd')) expect(texts[index]).toContain('odd');
    expect(indices('common w24999')[0]).toBe(24_999);
  });
});

describe('sources that were set aside for other weights of their name', () => {
  it('are searched only where they are asked for, until the name is free', () => {
    its.label(its.source('toy/a'), ['cats']);
    // The name that `registerSource` gives: the hash of this test's sources is 'abc'.
    its.label(its.source('toy/a~abc'), ['cats']);
    its.label(its.source('toy/b~abc'), ['cats']);
    const found = (filters: Partial<SearchFilters>) =>
      searcher.search(query('cats', filters), null).hits.map(({ source }) => source);
    expect(found({})).toEqual(['a', 'b~abc']);
    expect(found({ model: 'toy', layers: [3] })).toEqual(['a', 'b~abc']);
    expect(found({ sources: ['a~abc'] })).toEqual(['a~abc']);
    its.store.connection.prepare("delete from sources where name = 'a'").run();
    expect(found({})).toEqual(['a~abc', 'b~abc']);
  });
});
