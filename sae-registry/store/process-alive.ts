import { hostname } from 'node:os';

/** Whether a process is still there. Of another machine that is not known, so it is. */
export function isRunning({ process: id, host }: { readonly process: number; readonly host: string }): boolean {
  if (host !== hostname()) return true;
  try {
    return process.kill(id, 0);
  } catch (error) {
    // somebody else's process may not be signalled, but it is there
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
