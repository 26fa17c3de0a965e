import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { floats, relativeDifference } from '../harness/golden.ts';

interface Figures {
  readonly shape: readonly number[];
  readonly data: string;
}
interface Lens {
  readonly ids: readonly number[];
  readonly missing: readonly string[];
  readonly logits: Figures;
  readonly hooks: Readonly<Record<string, Figures>>;
}
interface Golden {
  readonly cases: readonly {
    readonly name: string;
    readonly ids: readonly number[];
    readonly logits: Figures;
    readonly hooks: Readonly<Record<string, Figures>>;
  }[];
}

const folder = resolve(import.meta.dirname, '..', 'fixtures', 'families');
const read = <T>(file: string): T => JSON.parse(readFileSync(resolve(folder, file), 'utf8')) as T;

/** Values that no mask hides; scores of hidden keys are minus infinity in both references. */
const visible = (figures: Figures) => floats(figures.data).filter((value) => value !== -Infinity);

describe.each(['gpt2', 'gpt_neox'])('the two references of %s', (family) => {
  const lens = read<Lens>(`transformer-lens/${family}.json`);
  const short = read<Golden>(`${family}/golden.json`).cases.find(({ name }) => name === 'short');

  it('name the same hook points, but for those that TransformerLens says it lacks', () => {
    const named = Object.keys(short?.hooks ?? {}).filter((point) => !lens.missing.some((end) => point.endsWith(end)));
    expect(short?.ids).toEqual(lens.ids);
    expect(Object.keys(lens.hooks).sort()).toEqual(named.sort());
  });

  it('give the same shapes and values', () => {
    for (const [point, figures] of [...Object.entries(lens.hooks), ['logits', lens.logits] as const]) {
      const golden = point === 'logits' ? short?.logits : short?.hooks[point];
      expect(golden?.shape, point).toEqual(figures.shape);
      expect(visible(figures).length, point).toBe(visible(golden as Figures).length);
      expect(relativeDifference(visible(figures), visible(golden as Figures)), point).toBeLessThan(1e-5);
    }
  });
});
