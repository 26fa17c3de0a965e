import { describe, expect, it } from 'vitest';
import { OneAtATime } from '../../src/one-at-a-time.ts';

const never = new AbortController().signal;

describe('work that is done one at a time', () => {
  it('keeps its order, and goes on after a failure', async () => {
    const line = new OneAtATime(8);
    const log: string[] = [];
    const job =
      (name: string, fails = false) =>
      async () => {
        log.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        log.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      };
    const results = await Promise.allSettled([
      line.run(job('a'), never),
      line.run(job('b', true), never),
      line.run(job('c'), never),
    ]);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('refuses what is too much, and skips whoever has left', async () => {
    const line = new OneAtATime(2);
    const gone = new AbortController();
    const first = line.run(() => new Promise((resolve) => setTimeout(resolve, 10)), never);
    let ran = false;
    const second = line.run(async () => {
      ran = true;
    }, gone.signal);
    await expect(line.run(async () => 1, never)).rejects.toMatchObject({ code: 'queue_full' });
    gone.abort();
    await first;
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    expect(ran).toBe(false);
    expect(await line.run(async () => 3, never)).toBe(3);
  });
});
