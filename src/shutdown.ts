import type { RunningServer } from './server.ts';

/** Share of the deadline kept for handing over answers after the engine has drained. */
const handOverShare = 0.1;

export interface ShutdownOptions {
  readonly server: RunningServer;
  /** Engine.drain: refuses new requests at once, settles when running ones have finished or the time is over. */
  readonly drain: (deadlineMilliseconds: number) => Promise<void>;
  readonly deadlineMilliseconds: number;
}

/**
 * Graceful drain: running replies finish; new requests, which the server still answers meanwhile, get 503 with Retry-After;
 * then the server closes. Ends within the deadline whatever happens; `forced` when something had to be cut.
 */
export async function shutDown({ server, drain, deadlineMilliseconds }: ShutdownOptions): Promise<'clean' | 'forced'> {
  const started = performance.now();
  const forDrain = deadlineMilliseconds * (1 - handOverShare);
  const drained = await settledWithin(drain(forDrain), forDrain);
  const left = Math.max(0, deadlineMilliseconds - (performance.now() - started));
  const closed = await server.close(left);
  return drained && closed === 'clean' ? 'clean' : 'forced';
}

async function settledWithin(work: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([
      work.then(
        () => true,
        () => false,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/**
 * The first SIGTERM or SIGINT shuts down and exits: 0 when clean, 1 when forced. A second one exits at once with the shell's
 * code for the signal.
 */
export function shutDownOnSignals(options: {
  readonly signals: SignalSource;
  readonly shutDown: (signal: NodeJS.Signals) => Promise<'clean' | 'forced'>;
  readonly exit: (code: number) => void;
}): void {
  let shuttingDown = false;
  const codes = { SIGINT: 130, SIGTERM: 143 } as const;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    options.signals.on(signal, () => {
      if (shuttingDown) return options.exit(codes[signal]);
      shuttingDown = true;
      void options.shutDown(signal).then(
        (how) => options.exit(how === 'clean' ? 0 : 1),
        () => options.exit(1),
      );
    });
  }
}
