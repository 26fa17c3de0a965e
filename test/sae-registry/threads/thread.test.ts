import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { workerPort } from '../../../sae-registry/threads/thread.ts';

/** A thread that runs `onEnd` when it is asked to end; `flag` is shared. */
async function start(onEnd: string) {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    const { parentPort, workerData: flag } = require('node:worker_threads');
    parentPort.on('message', (message) => { if (message === 'end') { ${onEnd} } });
    parentPort.postMessage('ready');
  `;
  const worker = new Worker(code, { eval: true, workerData: flag });
  await once(worker, 'message');
  return { worker, flag };
}

describe('a thread that is to end', () => {
  it('finishes what it is at, and ends by itself', async () => {
    const { worker, flag } = await start('setTimeout(() => { Atomics.store(flag, 0, 1); parentPort.close(); }, 200);');
    const gone = once(worker, 'exit');
    await workerPort(worker).terminate();
    expect(Atomics.load(flag, 0)).toBe(1);
    expect(await gone).toEqual([0]);
  });

  it('is stopped where it does not', async () => {
    const { worker } = await start('for (;;) {}');
    const gone = once(worker, 'exit');
    await workerPort(worker, 100).terminate();
    expect(await gone).toEqual([1]);
  });
});
