import { beforeEach, describe, expect, it } from 'vitest';
import {
  addArtifact,
  countLabels,
  eachLabel,
  labelsOf,
  type NewLabel,
  openStore,
  registerSource,
  type Store,
  shownLabel,
  stageLabels,
} from '../../../sae-registry/store/index.ts';
import { sourceFacts } from './source-facts.ts';

let store: Store;
let source: number;
beforeEach(async () => {
  store = await openStore(null);
  source = registerSource(store, sourceFacts()).key;
});

const label = (changes: Partial<NewLabel> = {}): NewLabel => ({
  feature: 3,
  text: 'cats',
  method: 'llm',
  author: 'a model',
  clarity: null,
  scores: [],
  ...changes,
});

function add(origin: string, ...labels: NewLabel[]) {
  const staged = stageLabels(store);
  staged.add(labels);
  const artifact = addArtifact(store, { kind: 'labels', origin, hash: origin, bytes: 1 });
  const counts = staged.commit(source, artifact);
  staged.close();
  return { artifact, counts };
}

describe('labels', () => {
  it('are several for a feature, each with its scores and where it came from', () => {
    const scores = [
      { method: 'detection', author: 'judge', score: 0.75, judgements: 40 },
      { method: 'fuzzing', author: 'judge', score: 0.5, judgements: null },
    ];
    const { artifact, counts } = add('one', label({ scores }), label({ text: 'kittens', clarity: 2 }));
    expect(counts).toEqual({ added: 2, updated: 0, unchanged: 0 });
    expect(labelsOf(store, source, 3)).toEqual([
      { ...label({ scores }), key: expect.any(Number), artifact, addedAt: expect.any(Number) },
      { ...label({ text: 'kittens', clarity: 2 }), key: expect.any(Number), artifact, addedAt: expect.any(Number) },
    ]);
    expect(labelsOf(store, source, 4)).toEqual([]);
    expect(shownLabel(store, source, 4)).toBeNull();
    expect(countLabels(store, source)).toBe(2);
  });

  it('are known again: nothing twice, and what is new about them is taken', () => {
    const key = () => labelsOf(store, source, 3)[0]?.key;
    add('one', label(), label());
    const first = key();
    expect(add('two', label()).counts).toEqual({ added: 0, updated: 0, unchanged: 1 });
    expect(add('three', label({ clarity: 1 })).counts).toEqual({ added: 0, updated: 1, unchanged: 0 });
    expect(add('four', label()).counts).toEqual({ added: 0, updated: 0, unchanged: 1 });
    const scored = label({ scores: [{ method: 'detection', author: 'j', score: 0.5, judgements: 2 }] });
    expect(add('five', scored).counts).toEqual({ added: 0, updated: 1, unchanged: 0 });
    expect(add('six', scored).counts).toEqual({ added: 0, updated: 0, unchanged: 1 });
    const again = label({ scores: [{ method: 'detection', author: 'j', score: 0.75, judgements: 4 }] });
    const { artifact } = add('seven', again);
    expect(labelsOf(store, source, 3)).toMatchObject([{ clarity: 1, scores: again.scores, artifact }]);
    expect(key()).toBe(first);
    const mixed = add('eight', label({ text: 'new', scores: scored.scores }), label({ text: 'new' }), label());
    expect(mixed.counts).toEqual({ added: 1, updated: 0, unchanged: 2 });
  });

  it('show a person’s first, then the best scored, then the oldest', () => {
    const scored = (text: string, score: number) =>
      label({ text, scores: [{ method: 'detection', author: 'j', score, judgements: 1 }] });
    add('one', scored('bad', 0.25), label({ text: 'old' }), label({ text: 'new' }), scored('good', 0.75));
    expect(labelsOf(store, source, 3).map(({ text }) => text)).toEqual(['good', 'old', 'new', 'bad']);
    add('two', label({ text: 'mine', method: 'human' }));
    expect(shownLabel(store, source, 3)).toBe('mine');
    expect([...eachLabel(store, source)].map(({ text }) => text)).toEqual(['bad', 'old', 'new', 'good', 'mine']);
  });

  it('are seen all at once or not at all', () => {
    const staged = stageLabels(store);
    const other = stageLabels(store);
    staged.add([label()]);
    other.add([label({ text: 'of another import' })]);
    expect(countLabels(store, source)).toBe(0);
    staged.close();
    other.commit(source, addArtifact(store, { kind: 'labels', origin: 'o', hash: null, bytes: null }));
    expect(labelsOf(store, source, 3)).toMatchObject([{ text: 'of another import' }]);
    other.close();
    expect(() => staged.add([label()])).toThrow();
  });
});
