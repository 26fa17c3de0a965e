import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../engine/core/index.ts';
import { editDigest } from '../../../engine/steering/index.ts';

const edit: Edit = {
  hookPoint: 'blocks.1.hook_resid_post',
  read: { direction: Float32Array.of(1, 2, 3), bias: 0.5, threshold: 0.25 },
  coefficient: { beta: 1, gamma: -1, low: -Infinity, high: 4 },
  write: Float32Array.of(4, 5, 6),
  positions: 'all',
  skipSpecial: false,
  activeAbove: 0.1,
  sinkNorm: 100,
};
const read = edit.read as NonNullable<Edit['read']>;

describe('the digest of an edit', () => {
  it('is the same for the same arithmetic, wherever the edit applies', () => {
    const copy: Edit = { ...edit, write: edit.write.slice(), read: { ...read, direction: read.direction.slice() } };
    expect(editDigest(copy)).toBe(editDigest(edit));
    expect(editDigest({ ...edit, positions: 'prompt', skipSpecial: true })).toBe(editDigest(edit));
  });

  it('differs in every part of the arithmetic', () => {
    const { coefficient } = edit;
    const others: Partial<Edit>[] = [
      { hookPoint: 'blocks.2.hook_resid_post' },
      { write: Float32Array.of(4, 5, 6.0000005) },
      { write: Float32Array.of(4, 5, 6, 0) },
      { activeAbove: 0.2 },
      { sinkNorm: 101 },
      { read: null },
      { read: { ...read, direction: Float32Array.of(1, 2, 4) } },
      { read: { ...read, bias: 0.25 } },
      { read: { ...read, threshold: 0.5 } },
      { coefficient: { ...coefficient, beta: 2 } },
      { coefficient: { ...coefficient, gamma: 0 } },
      { coefficient: { ...coefficient, low: 0 } },
      { coefficient: { ...coefficient, high: 5 } },
    ];
    const digests = [edit, ...others.map((other) => ({ ...edit, ...other }))].map(editDigest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('does not run numbers and directions into each other', () => {
    const bare = { ...edit, read: null };
    const first = editDigest({
      ...bare,
      hookPoint: 'ab',
      write: new Float32Array(Uint8Array.from([99, 0, 0, 0]).buffer),
    });
    const second = editDigest({ ...bare, hookPoint: 'abc', write: new Float32Array() });
    expect(first).not.toBe(second);
  });
});
