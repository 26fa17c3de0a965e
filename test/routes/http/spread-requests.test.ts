import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import type { AppEnv } from '../../../routes/http/router.ts';
import { spreadRequests } from '../../../routes/http/spread-requests.ts';

function setUp() {
  let clock = 0;
  const turns: (() => void)[] = [];
  const begun: string[] = [];
  const app = new Hono<AppEnv>();
  app.use(
    spreadRequests(
      () => clock,
      (then) => turns.push(then),
    ),
  );
  app.get('/:name', (c) => {
    begun.push(c.req.param('name'));
    return c.text('');
  });
  return {
    begun,
    ask: (name: string) => void app.request(`/${name}`),
    wait: (milliseconds: number) => {
      clock += milliseconds;
    },
    /** Turns the event loop; false where nobody asked for it. */
    turn: async () => {
      const then = turns.shift();
      then?.();
      await new Promise((resolve) => setImmediate(resolve));
      return then !== undefined;
    },
  };
}

describe('requests that arrive together', () => {
  it('begin one a turn, in order, once the first has taken its time', async () => {
    const { begun, ask, wait, turn } = setUp();
    ask('a');
    wait(1.5);
    for (const name of ['b', 'c', 'd']) ask(name);
    expect(begun).toEqual(['a']);
    await turn();
    expect(begun).toEqual(['a', 'b']);
    ask('e'); // whoever comes later does not overtake
    await turn();
    await turn();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    await turn();
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect([await turn(), await turn()]).toEqual([true, false]);
  });

  it('share a turn while they are short', async () => {
    const { begun, ask, turn } = setUp();
    for (const name of ['a', 'b', 'c']) ask(name);
    expect(begun).toEqual(['a', 'b', 'c']);
    expect([await turn(), await turn()]).toEqual([true, false]);
  });

  it('do not wait where nobody came before', async () => {
    const { begun, ask, wait, turn } = setUp();
    ask('a');
    await turn();
    wait(100);
    ask('b');
    expect(begun).toEqual(['a', 'b']);
  });
});
