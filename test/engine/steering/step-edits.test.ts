import { describe, expect, it } from 'vitest';
import type { Edit, RowStep } from '../../../engine/core/index.ts';
import { sortEdits } from '../../../engine/steering/index.ts';
import { compile, feature, specification } from './builders.ts';

const here = 'blocks.1.hook_resid_post';
const there = 'blocks.0.hook_resid_post';
const editAt = (hookPoint: string) => compile(specification(feature({ hookPoint }), 'add', 1))[0]?.edit as Edit;
const [a, b, c] = [editAt(here), editAt(there), editAt(here)];
const touched = Float32Array.of(1);

function row(edits: readonly Edit[], mask = touched): RowStep {
  const masked = edits.map((edit) => ({ edit, mask }));
  return { requestId: '', slot: 0, tokens: Int32Array.of(1), start: 0, logits: 'last', edits: masked, taps: [] };
}

describe('the edits of a step', () => {
  it('are sorted by hook point, each row in its own order', () => {
    const { sites, none } = sortEdits([row([a, b, c]), row([]), row([c])], null);
    expect([...sites.keys()]).toEqual([here, there]);
    expect(sites.get(here)).toEqual({ edits: [[a, c], [], [c]], indices: [[0, 2], [], [0]] });
    expect(sites.get(there)).toEqual({ edits: [[b], [], []], indices: [[1], [], []] });
    expect(none).toEqual({ edits: [[], [], []], indices: [[], [], []] });
  });

  it('are known again from one token to the next, and only then', () => {
    const rows = [row([a, b]), row([c])];
    const first = sortEdits(rows, null);
    expect(sortEdits(rows, first)).toBe(first);
    expect(sortEdits([row([a, b]), row([c], Float32Array.of(1))], first)).toBe(first);
    const others: RowStep[][] = [
      [row([a, b])],
      [row([c]), row([a, b])],
      [row([a, b]), row([])],
      [row([a, b]), row([b])],
      [row([a, b]), row([c], Float32Array.of(0))],
      [row([a, b]), row([c], Float32Array.of(1, 1))],
    ];
    for (const other of others) expect(sortEdits(other, first)).not.toBe(first);
    const long = [row([a], Float32Array.of(1, 0))];
    expect(sortEdits([row([a], Float32Array.of(0, 1))], sortEdits(long, null))).not.toBe(sortEdits(long, null));
  });
});
