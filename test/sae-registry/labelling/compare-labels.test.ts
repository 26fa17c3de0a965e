import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareLabels } from '../../../sae-registry/labelling/compare-labels.ts';
import { labelSimilarity } from '../../../sae-registry/labelling/label-similarity.ts';
import { type KnownSource, openStore, registerSource, type Store } from '../../../sae-registry/store/index.ts';
import { labels } from '../../../sae-registry/store/schema.ts';
import { sourceFacts } from '../store/source-facts.ts';

const plain = (text: string) => ({ text, embedding: null });

describe('two labels', () => {
  it.each([
    ['names of rivers', 'the names of RIVERS', 1],
    ['names of rivers', 'names of lakes', 0.5],
    ['rivers', 'lakes', 0],
    ['of the', 'Of the', 1],
    ['of the', 'in a', 0],
    ['***', 'rivers', 0],
  ])('%j and %j share %d of their words', (a, b, shared) => {
    expect(labelSimilarity(plain(a), plain(b), 'words')).toBe(shared);
  });

  it('are alike in meaning by the cosine of their embeddings', () => {
    const at = (...values: number[]) => ({ text: '', embedding: Int8Array.from(values) });
    expect(labelSimilarity(at(127, 0), at(127, 0), 'meaning')).toBe(1);
    expect(labelSimilarity(at(90, 90), at(127, 0), 'meaning')).toBeCloseTo(Math.SQRT1_2, 12);
    expect(labelSimilarity(at(127, 0), at(0, -127), 'meaning')).toBeCloseTo(0, 12);
  });
});

describe('two sets of labels', () => {
  let store: Store;
  let source: KnownSource;
  beforeEach(async () => {
    store = await openStore(null);
    source = registerSource(store, sourceFacts());
  });
  afterEach(() => store.close());
  const add = (feature: number, author: string, text: string) =>
    Number(
      store.db.insert(labels).values({ source: source.key, feature, text, method: 'm', author }).run().lastInsertRowid,
    );
  const compare = (first: string | null, second: string | null, least = 2) =>
    compareLabels(store, source, {
      first: { method: null, author: first },
      second: { method: null, author: second },
      least,
    });

  it('agree where they use the same words, by the closest of several labels', () => {
    for (const [feature, word] of ['rivers', 'lakes', 'birds', 'trees'].entries()) {
      add(feature, 'a', `names of ${word}`);
      add(feature, 'b', feature === 3 ? 'verbs' : `names of ${word}`);
      add(feature, 'b', 'something else');
    }
    add(9, 'a', 'only here');
    const agreement = compare('a', 'b');
    expect(agreement).toMatchObject({
      measure: 'words',
      features: 4,
      onlyFirst: 1,
      onlySecond: 0,
      mean: 0.75,
      median: 1,
    });
    expect(agreement.least).toEqual([
      { feature: 3, first: 'names of trees', second: 'verbs', similarity: 0 },
      expect.objectContaining({ similarity: 1 }),
    ]);
    // others' labels share one of two words, but for those of feature 3
    expect(agreement.chance).toBeCloseTo(0.375, 12);
  });

  it('are compared by meaning where all have embeddings, and only there', () => {
    const [a, b] = [add(0, 'a', 'rivers'), add(0, 'b', 'streams')];
    const embed = (label: number, values: readonly number[]) =>
      store.connection
        .prepare("insert into label_embeddings (label, embedder, embedding) values (?, 'e', ?)")
        .run(label, Buffer.from(Int8Array.from(values).buffer));
    embed(a, [127, 0, 0]);
    expect(compare('a', 'b')).toMatchObject({ measure: 'words', mean: 0 });
    embed(b, [76, -102, 0]);
    expect(compare('a', 'b')).toMatchObject({ measure: 'meaning', features: 1, chance: null });
    expect(compare('a', 'b').mean).toBeCloseTo(0.6, 2);
  });

  it('are refused where there is nothing to compare, naming what there is', () => {
    add(0, 'a', 'rivers');
    add(0, 'a', 'lakes');
    add(1, 'b', 'birds');
    expect(() => compare('a', 'c')).toThrow(
      'The second set (author c) has no labels. There are: 2 of method m by a; 1 of method m by b.',
    );
    expect(() => compare('a', 'b')).toThrow(/No feature has labels in both sets/);
  });
});
