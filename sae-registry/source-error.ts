import { TillerError } from '../engine/core/index.ts';

/** A source's files contradict themselves, their format or the model. */
export function sourceInvalid(message: string, cause?: unknown): TillerError {
  return new TillerError('source_invalid', message, { cause });
}

/** A source that may be sound but that this version cannot run exactly. */
export function sourceUnsupported(what: string): TillerError {
  return new TillerError(
    'source_unsupported',
    `${what} is not supported yet; it may come in a later version. docs/saes.md lists what is read.`,
  );
}

/**
 * Runs a read that speaks of checkpoints (engine/checkpoint reads safetensors for both) and says `source_invalid` where it says
 * `checkpoint_invalid`.
 */
export async function asSource<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TillerError && error.code !== 'checkpoint_invalid') throw error;
    throw sourceInvalid(error instanceof Error ? error.message : String(error), error);
  }
}
