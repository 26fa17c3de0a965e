import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const module = resolve(import.meta.dirname, '../../../dist/engine/runtime/short-slices.js');
const program = `
  import { readFileSync, readdirSync } from 'node:fs';
  import { getPriority } from 'node:os';
  import { askForShortSlices } from ${JSON.stringify(module)};
  const before = getPriority();
  const taken = askForShortSlices();
  const sliceOf = (thread) => {
    try {
      return /slice\\s*:\\s*(\\d+)/.exec(readFileSync('/proc/self/task/' + thread + '/sched', 'utf8'))?.[1] ?? null;
    } catch { return null; }
  };
  const threads = taken ? readdirSync('/proc/self/task').filter((thread) => Number(thread) !== process.pid) : [];
  console.log(JSON.stringify({ before, taken, after: getPriority(), own: taken ? sliceOf(process.pid) : null, others: threads.map(sliceOf) }));
`;

function run(nice: number) {
  const { stdout, stderr } = spawnSync(
    'nice',
    ['-n', String(nice), process.execPath, '--input-type=module', '-e', program],
    {
      encoding: 'utf8',
    },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as {
    before: number;
    taken: boolean;
    after: number;
    own: string | null;
    others: (string | null)[];
  };
}

describe('short slices', () => {
  it.each([0, 7])('leave a niceness of %i as it is, and are taken by the calling thread alone', (nice) => {
    const { before, taken, after, own, others } = run(nice);
    expect(after).toBe(before);
    expect(taken).toBe(process.platform === 'linux');
    // kernels before 6.12 take the call and have no slice to show; what is shown must be right
    if (own !== null) expect(own).toBe('100000');
    for (const other of others) expect(other).not.toBe('100000');
  });
});
