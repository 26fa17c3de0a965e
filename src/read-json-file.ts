import { readFileSync } from 'node:fs';
import { TillerError } from '../engine/index.ts';

/**
 * The JSON of a file that a flag names. Throws `invalid_request` where it cannot be read, or is none.
 * @param param the field that names it
 * @param what how a message calls it
 */
export function readJsonFile(path: string, param: string, what = 'file'): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `is not JSON: ${cause.message}` : 'cannot be read';
    throw new TillerError('invalid_request', `The ${what} ${path} ${why}.`, { param, cause });
  }
}
