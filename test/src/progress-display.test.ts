import { describe, expect, it } from 'vitest';
import { createProgressDisplay } from '../../src/cli/progress-display.ts';
import { collector } from './cli-harness.ts';

const bytes = (done: number, label = 'Downloading') => ({ label, done, total: 1000, unit: 'bytes' as const });

describe('progress without a terminal', () => {
  it('writes a line at the start and the end, and between them one per 2 s and 10 % at the most', () => {
    const { stream, text } = collector();
    let time = 0;
    const display = createProgressDisplay(stream, () => time);
    for (let done = 0; done <= 1000; done++) {
      time += 10;
      display.onProgress(bytes(done));
    }
    const lines = text().trim().split('\n');
    expect(lines[0]).toBe('Downloading: 0 bytes of 1000 bytes (0 %)');
    expect(lines.at(-1)).toBe('Downloading: 1000 bytes of 1000 bytes (100 %)');
    expect(lines).toHaveLength(6);
    display.onProgress(bytes(1000));
    expect(text().trim().split('\n')).toHaveLength(6);
  });

  it('gives a sign of life when it is slow, and a line for each new label', () => {
    const { stream, text } = collector();
    let time = 0;
    const display = createProgressDisplay(stream, () => time);
    display.onProgress(bytes(1));
    time = 29_000;
    display.onProgress(bytes(2));
    time = 31_000;
    display.onProgress(bytes(3));
    display.onProgress({ label: 'Waiting', done: 0, total: null, unit: 'items' });
    display.onNotice('A notice.');
    expect(text().trim().split('\n')).toEqual([
      'Downloading: 1 bytes of 1000 bytes (0 %)',
      'Downloading: 3 bytes of 1000 bytes (0 %)',
      'Waiting',
      'A notice.',
    ]);
  });
});

describe('progress on a terminal', () => {
  it('draws a bar, and leaves it before a notice', () => {
    const { stream, text } = collector({ isTTY: true, columns: 100 });
    // What cli-progress asks of a terminal besides writing.
    const terminal = Object.assign(stream, { cursorTo: () => true, clearLine: () => true, moveCursor: () => true });
    const display = createProgressDisplay(terminal);
    display.onProgress(bytes(500));
    display.onNotice('A notice.');
    display.onProgress({ label: 'Waiting', done: 0, total: null, unit: 'items' });
    display.onProgress({ label: 'Waiting', done: 0, total: null, unit: 'items' });
    display.stop();
    expect(text()).toContain('50%');
    expect(text()).toContain('500 bytes of 1000 bytes');
    expect(text().indexOf('A notice.\n')).toBeGreaterThan(text().indexOf('50%'));
    expect(text().match(/Waiting/g)).toHaveLength(1);
  });
});
