import { describe, expect, it } from 'vitest';
import { mergeByArrival } from '../../../routes/http/merge.ts';

async function* count(from: number, to: number, closed: number[] = []) {
  try {
    for (let value = from; value < to; value++) yield value;
  } finally {
    closed.push(from);
  }
}

describe('mergeByArrival', () => {
  it('gives everything, each source in its own order, none starved', async () => {
    const got: [number, number][] = [];
    for await (const { index, value } of mergeByArrival([count(0, 3), count(10, 13)])) got.push([index, value]);
    expect(got).toEqual([
      [0, 0],
      [1, 10],
      [0, 1],
      [1, 11],
      [0, 2],
      [1, 12],
    ]);
  });

  it('ends with the first failure and closes the others', async () => {
    const closed: number[] = [];
    const failing = async function* () {
      yield 1;
      throw new Error('broken');
    };
    const run = async () => {
      for await (const _ of mergeByArrival([count(0, 1_000_000, closed), failing()]));
    };
    await expect(run()).rejects.toThrow('broken');
    await new Promise(setImmediate);
    expect(closed).toEqual([0]);
  });

  it('closes every source when left early', async () => {
    const closed: number[] = [];
    for await (const _ of mergeByArrival([count(0, 9, closed), count(10, 19, closed)])) break;
    await new Promise(setImmediate);
    expect(closed.toSorted((a, b) => a - b)).toEqual([0, 10]);
  });

  it('of one source gives what that gives, fails as it does and closes it', async () => {
    const closed: number[] = [];
    const got: unknown[] = [];
    for await (const merged of mergeByArrival([count(0, 2, closed)])) got.push(merged);
    expect(got).toEqual([
      { index: 0, value: 0 },
      { index: 0, value: 1 },
    ]);
    for await (const _ of mergeByArrival([count(5, 9, closed)])) break;
    await new Promise(setImmediate);
    expect(closed).toEqual([0, 5]);
    const failing = async function* () {
      yield 1;
      throw new Error('broken');
    };
    const run = async () => {
      for await (const _ of mergeByArrival([failing()]));
    };
    await expect(run()).rejects.toThrow('broken');
  });

  it('of nothing ends at once', async () => {
    for await (const _ of mergeByArrival([])) expect.unreachable();
  });
});
