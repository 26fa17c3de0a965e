import { describe, expect, it } from 'vitest';
import { BuildQueue } from '../../../engine/runtime/build-queue.ts';

function jobs() {
  const queue = new BuildQueue();
  const done: string[] = [];
  let running = 0;
  const give = (name: string, urgent?: boolean, failure?: Error) =>
    queue.run(async () => {
      running++;
      expect(running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      done.push(name);
      if (failure) throw failure;
      return name;
    }, urgent);
  return { queue, done, give };
}

describe('the build queue', () => {
  it('runs one job at a time, those that somebody waits for first', async () => {
    const { queue, done, give } = jobs();
    const first = give('a');
    const later = [give('idle 1', false), give('b'), give('idle 2', false), give('c')];
    expect(await first).toBe('a');
    const last = give('d');
    expect(await Promise.all([...later, last])).toEqual(['idle 1', 'b', 'idle 2', 'c', 'd']);
    expect(done.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(done.indexOf('d')).toBeLessThan(done.indexOf('idle 1'));
    expect(done.indexOf('idle 1')).toBeLessThan(done.indexOf('idle 2'));
    await queue.idle();
  });

  it('goes on after a failure, which only its own giver learns of', async () => {
    const { queue, give } = jobs();
    const broken = give('a', true, new Error('no'));
    const good = give('b');
    await expect(broken).rejects.toThrow('no');
    expect(await good).toBe('b');
    await queue.idle();
    expect(await give('c')).toBe('c');
  });

  it('is idle when the jobs have ended', async () => {
    const { queue, done, give } = jobs();
    await queue.idle();
    void give('a');
    void give('b', false);
    await queue.idle();
    expect(done).toEqual(['a', 'b']);
  });
});
