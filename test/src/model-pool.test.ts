import { describe, expect, it } from 'vitest';
import { TillerError } from '../../engine/core/index.ts';
import { type Loaded, ModelPool, type PoolModel } from '../../src/models/model-pool.ts';
import { gate } from '../harness/http.ts';

interface Fake extends Loaded {
  running: number;
  closed: number;
}

/** Models of given sizes that load at once, and what happened to them. */
function setUp(sizes: Readonly<Record<string, number>>, budgetBytes: number | null = 100) {
  const loads: string[] = [];
  const changes: string[] = [];
  const values = new Map<string, Fake>();
  const hooks: { before?: (name: string) => Promise<void> } = {};
  let clock = 0;
  const models = Object.entries(sizes).map(
    ([name, bytes]): PoolModel<Fake> => ({
      name,
      measure: async () => bytes,
      load: async () => {
        loads.push(name);
        await hooks.before?.(name);
        const value: Fake = {
          id: name,
          running: 0,
          closed: 0,
          busy: () => value.running > 0,
          close: async () => void value.closed++,
        };
        values.set(name, value);
        return value;
      },
    }),
  );
  const pool = new ModelPool<Fake>({
    models,
    budgetBytes,
    now: () => clock,
    onChange: ({ model, state }) => changes.push(`${model} ${state}`),
  });
  const use = async (name: string) => (await pool.lease(name)).release();
  const states = () => Object.fromEntries(pool.list().map(({ name, state }) => [name, state]));
  return { pool, loads, changes, values, hooks, use, states, wait: (ms: number) => (clock += ms) };
}

describe('a pool of models', () => {
  it('loads each when it is first asked for, under any case of its name', async () => {
    const { pool, use, loads, states } = setUp({ a: 40, b: 40 });
    expect(states()).toEqual({ a: 'not_loaded', b: 'not_loaded' });
    await use('A');
    await use('a');
    expect(loads).toEqual(['a']);
    expect(states()).toEqual({ a: 'loaded', b: 'not_loaded' });
    expect(pool.find('a').value?.id).toBe('a');
  });

  it('loads one once for all who ask meanwhile, and goes on giving out the others', async () => {
    const { pool, hooks, loads, use } = setUp({ a: 40, b: 40 });
    await use('a');
    const { opened, open } = gate();
    hooks.before = () => opened;
    const asked = [pool.lease('b'), pool.lease('b'), pool.load('b')];
    (await pool.lease('a')).release();
    expect(pool.find('b').state).toBe('loading');
    open();
    await Promise.all(asked);
    expect(loads).toEqual(['a', 'b']);
  });

  it('unloads the one that was not asked for for the longest', async () => {
    const { use, values, states } = setUp({ a: 40, b: 40, c: 40 });
    await use('a');
    await use('b');
    await use('a');
    await use('c');
    expect(states()).toEqual({ a: 'loaded', b: 'not_loaded', c: 'loaded' });
    expect(values.get('b')?.closed).toBe(1);
    await use('b');
    expect(states()).toEqual({ a: 'not_loaded', b: 'loaded', c: 'loaded' });
  });

  it('never unloads one that is held or has requests: what finds no room is refused, and may come again', async () => {
    const { pool, use, values, states } = setUp({ a: 60, b: 60 });
    const held = await pool.lease('a');
    await expect(pool.lease('b')).rejects.toMatchObject({
      code: 'model_unavailable',
      retryAfterSeconds: 10,
      message: expect.stringMatching(/'b' needs about .*beside a, which has running requests/),
    });
    held.release();
    held.release();
    const a = values.get('a') as Fake;
    a.running = 1;
    await expect(pool.lease('b')).rejects.toMatchObject({ code: 'model_unavailable' });
    expect(states()).toEqual({ a: 'loaded', b: 'not_loaded' });
    a.running = 0;
    await use('b');
    expect(states()).toEqual({ a: 'not_loaded', b: 'loaded' });
  });

  it('refuses what is beyond the whole budget, and nobody goes for it', async () => {
    const { pool, use, states } = setUp({ a: 60, b: 101 });
    await use('a');
    const refused = await pool.lease('b').catch((error: unknown) => error as TillerError);
    expect(refused).toMatchObject({ message: expect.stringContaining('raise --memory-budget-bytes') });
    expect(refused).not.toHaveProperty('retryAfterSeconds', expect.any(Number));
    expect(states().a).toBe('loaded');
  });

  it('leaves the others alone when one cannot be loaded, and does not try it for every request', async () => {
    const { pool, hooks, use, loads, states, wait } = setUp({ a: 40, bad: 40 });
    await use('a');
    hooks.before = async () => {
      throw new TillerError('checkpoint_invalid', 'its header is torn');
    };
    const failure = { code: 'model_unavailable', message: "'bad' could not be loaded: its header is torn" };
    await expect(pool.lease('bad')).rejects.toMatchObject({ ...failure, retryAfterSeconds: 30 });
    wait(20_000);
    await expect(pool.lease('bad')).rejects.toMatchObject({ ...failure, retryAfterSeconds: 10 });
    expect(loads).toEqual(['a', 'bad']);
    expect(states()).toEqual({ a: 'loaded', bad: 'failed' });
    expect(pool.find('bad').reason).toBe('its header is torn');
    hooks.before = undefined;
    await pool.load('bad');
    expect(pool.find('bad')).toMatchObject({ state: 'loaded', reason: null });
  });

  it('tries a failed one again after a while', async () => {
    const { pool, hooks, use, wait } = setUp({ bad: 40 });
    hooks.before = () => Promise.reject(new Error('no'));
    await expect(pool.lease('bad')).rejects.toThrow('no');
    hooks.before = undefined;
    wait(30_000);
    await use('bad');
    expect(pool.find('bad').state).toBe('loaded');
  });

  it('lets who leaves go, and loads on for the others', async () => {
    const { pool, hooks, values } = setUp({ a: 40 });
    const { opened, open } = gate();
    hooks.before = () => opened;
    const leaving = new AbortController();
    const left = pool.lease('a', leaving.signal);
    const stays = pool.lease('a');
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    open();
    (await stays).release();
    await pool.unload('a');
    expect(values.get('a')?.closed).toBe(1);
  });

  it('unloads when told, but not what is in use', async () => {
    const { pool, use, values, states } = setUp({ a: 40 });
    expect((await pool.unload('a')).state).toBe('not_loaded');
    const held = await pool.lease('a');
    await expect(pool.unload('a')).rejects.toMatchObject({ code: 'model_busy', param: 'model' });
    held.release();
    await pool.unload('a');
    expect(states().a).toBe('not_loaded');
    await use('a');
    expect(values.get('a')?.closed).toBe(0);
  });

  it('waits for an unload under way before it loads again', async () => {
    const { pool, use, values, changes } = setUp({ a: 40 });
    await use('a');
    const { opened, open } = gate();
    (values.get('a') as { close: () => Promise<void> }).close = () => opened;
    const unloading = pool.unload('a');
    const again = pool.lease('a');
    open();
    await unloading;
    (await again).release();
    expect(changes).toEqual(['a loading', 'a loaded', 'a unloading', 'a not_loaded', 'a loading', 'a loaded']);
  });

  it('knows no other names, and refuses two of one', async () => {
    const { pool } = setUp({ gemma: 1, llama: 1 });
    await expect(pool.lease('lama')).rejects.toMatchObject({
      code: 'model_not_found',
      suggestions: expect.arrayContaining(['llama']),
    });
    const one = { name: 'x', measure: async () => 0, load: async () => Promise.reject(new Error('never')) };
    expect(() => new ModelPool({ models: [one, { ...one, name: 'X' }], budgetBytes: null })).toThrow(/called 'X'/);
  });

  it('closes everything at the end', async () => {
    const { pool, use, values } = setUp({ a: 40, b: 40 });
    await use('a');
    await use('b');
    await pool.close();
    expect([...values.values()].map(({ closed }) => closed)).toEqual([1, 1]);
    expect(pool.loaded()).toEqual([]);
  });
});
