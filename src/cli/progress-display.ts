import { SingleBar } from 'cli-progress';
import { formatBytes } from '../../engine/checkpoint/acquire/describe.ts';
import type { Progress, ProgressListener } from '../../engine/core/index.ts';
import type { Output } from './context.ts';

/** Draws progress and notices on standard error: a bar on a terminal, few plain lines elsewhere. */
export interface ProgressDisplay {
  readonly onProgress: ProgressListener;
  readonly onNotice: (line: string) => void;
  /** Leaves the terminal as it was; call when the work is over, however it ended. */
  stop(): void;
}

export function createProgressDisplay(
  stream: NodeJS.WritableStream & Output,
  now: () => number = Date.now,
): ProgressDisplay {
  return stream.isTTY ? barDisplay(stream) : lineDisplay(stream, now);
}

function amount(progress: Progress, value: number): string {
  return progress.unit === 'bytes' ? formatBytes(value) : `${value} ${progress.unit}`;
}

function barDisplay(stream: NodeJS.WritableStream): ProgressDisplay {
  let bar: SingleBar | null = null;
  let label: string | null = null;
  const stop = () => {
    bar?.stop();
    bar = null;
    label = null;
  };
  const start = (progress: Progress, total: number) => {
    stop();
    label = progress.label;
    const format = '{label} [{bar}] {percentage}% | {amount} | {eta_formatted} left';
    bar = new SingleBar({ format, stream, barsize: 24, fps: 8, gracefulExit: false });
    bar.start(total, 0, { label: progress.label, amount: '' });
  };
  return {
    onProgress: (progress) => {
      const { total, done } = progress;
      if (total === null) {
        if (label !== progress.label) stop();
        if (label !== progress.label) stream.write(`${progress.label}\n`);
        label = progress.label;
        return;
      }
      if (label !== progress.label) start(progress, total);
      bar?.update(done, { label: progress.label, amount: `${amount(progress, done)} of ${amount(progress, total)}` });
    },
    onNotice: (line) => {
      stop();
      stream.write(`${line}\n`);
    },
    stop,
  };
}

const leastMilliseconds = 2_000;
const leastFraction = 0.1;
/** A slow download still gives a sign of life this often. */
const mostMilliseconds = 30_000;

/** A line at the start and at the end, and between them at most one every 2 s and every 10 %. */
function lineDisplay(stream: Output, now: () => number): ProgressDisplay {
  let last: { label: string; time: number; fraction: number } | null = null;
  return {
    onProgress: (progress) => {
      const fraction = progress.total ? progress.done / progress.total : 0;
      const time = now();
      if (last?.label === progress.label) {
        const ended = fraction >= 1 && last.fraction < 1;
        const due = time - last.time >= leastMilliseconds && fraction - last.fraction >= leastFraction;
        if (!ended && !due && (time - last.time < mostMilliseconds || last.fraction >= 1)) return;
      }
      last = { label: progress.label, time, fraction };
      const of =
        progress.total === null ? '' : `: ${amount(progress, progress.done)} of ${amount(progress, progress.total)}`;
      stream.write(`${progress.label}${of}${progress.total ? ` (${Math.floor(fraction * 100)} %)` : ''}\n`);
    },
    onNotice: (line) => stream.write(`${line}\n`),
    stop: () => undefined,
  };
}
