import { destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from './serve-settings.ts';

export type { Logger } from 'pino';

/** One JSON object a line on standard error; standard output is left to what commands print. */
export function createLogger(level: LogLevel): Logger {
  // Written at once: nothing is lost when the process ends, and the engine logs little.
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, destination({ fd: 2, sync: true }));
}
