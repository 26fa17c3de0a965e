/** What writes to a terminal or a pipe. */
interface Output {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Ends a command whose output nobody reads any more (`tiller … | head`), as other commands end, in place of a crash; `leave` is called with
 * the exit status of a process that the signal SIGPIPE ended. A server goes on: its log is not what it is for.
 */
export function watchOutput(outputs: readonly Output[], serves: boolean, leave: (status: number) => void): void {
  for (const output of outputs) {
    output.on('error', (error) => {
      if (error.code !== 'EPIPE') throw error;
      if (!serves) leave(128 + 13);
    });
  }
}
