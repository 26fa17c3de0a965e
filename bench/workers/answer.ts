/** Runs in the worker: answers the parent's requests one after the other with what `handle` gives for them (bench/worker-process.ts). */
export function answerRequests(handle: (request: unknown) => Promise<unknown>): void {
  process.on('message', (request) => {
    const before = cpuSeconds();
    handle(request).then(
      (value) => process.send?.({ ok: true, value, cpu: [before, cpuSeconds()] }),
      (error: unknown) =>
        process.send?.({ ok: false, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
