import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchOutput } from '../../src/cli/unread-output.ts';

const main = resolve(import.meta.dirname, '../../dist/src/main.js');

function output() {
  const listeners: ((error: NodeJS.ErrnoException) => void)[] = [];
  return {
    on: (_: 'error', listener: (error: NodeJS.ErrnoException) => void) => listeners.push(listener),
    fail: (code: string) => {
      for (const listener of listeners) listener(Object.assign(new Error(code), { code }));
    },
  };
}

describe('output that nobody reads', () => {
  it('ends a command without a word', async () => {
    const child = spawn(process.execPath, [main, 'serve', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const heard: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => heard.push(chunk));
    const [status] = await once(child, 'close');
    expect(Buffer.concat(heard).toString()).toBe('');
    expect([0, 141]).toContain(status);
  });

  it('leaves with the status of a broken pipe, unless it serves; other errors are thrown', () => {
    const left: number[] = [];
    const [command, server] = [output(), output()];
    watchOutput([command], false, (status) => left.push(status));
    watchOutput([server], true, (status) => left.push(status));
    server.fail('EPIPE');
    expect(left).toEqual([]);
    command.fail('EPIPE');
    expect(left).toEqual([141]);
    expect(() => server.fail('EIO')).toThrow('EIO');
  });
});
