import type { CliContext } from './context.ts';
import { createProgressDisplay } from './progress-display.ts';

/** Runs a job with a progress display; Ctrl-C and SIGTERM cancel it in order, so that it can clean up behind itself. */
export async function withInterrupt<T>(
  context: CliContext,
  job: (
    signal: AbortSignal,
    display: Pick<ReturnType<typeof createProgressDisplay>, 'onProgress' | 'onNotice'>,
  ) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  const { onProgress, onNotice, stop } = createProgressDisplay(context.stderr);
  // Not `once`: proper-lockfile's exit handler ends the process at once when it finds itself the only listener left.
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  try {
    return await job(controller.signal, { onProgress, onNotice });
  } finally {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
    stop();
  }
}
