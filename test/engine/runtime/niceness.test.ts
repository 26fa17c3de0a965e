import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { describe, expect, it } from 'vitest';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { testKernels } from '../../harness/kernels.ts';
import { tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

/** Niceness by thread (proc(5): the 19th field of `stat`; the second, a name in parentheses, may have spaces). */
function nicenesses(): Map<number, number> {
  const niceness = (thread: string) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  };
  return new Map(readdirSync('/proc/self/task').map((thread) => [Number(thread), niceness(thread)]));
}

describe.runIf(process.platform === 'linux')('threads that compute', () => {
  it('are 5 nicer than the process, and the main thread is not', async () => {
    const options = { config: tinyConfig, weights: writeTinyWeights(), slots: 2, context: 32, maxChunk: 16 };
    const executor = await openExecutor({ ...options, threads: 2, kernels: await testKernels() });
    const tokens = Int32Array.from({ length: 16 }, (_, t) => t);
    const row = { requestId: 'r', slot: 0, tokens, start: 0, logits: 'last', edits: [], taps: [] } as const;
    await executor.run({ kind: 'prefill', rows: [row] });
    const found = nicenesses();
    await executor.close();
    const own = getPriority();
    expect(found.get(process.pid)).toBe(own);
    expect([...found.values()].filter((niceness) => niceness === Math.min(19, own + 5)).length).toBeGreaterThan(0);
    for (const niceness of found.values()) expect([own, Math.min(19, own + 5)]).toContain(niceness);
  });
});
