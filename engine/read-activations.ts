import type { Edit } from './core/edit.ts';
import { concatenateActivations, type Encoding, type SparseActivations } from './core/encoder.ts';
import type { Engine } from './core/engine.ts';
import { TillerError } from './core/errors.ts';
import { inOrder } from './core/in-order.ts';
import type { GenerateRequest } from './core/request.ts';
import { greedyRequest } from './greedy-request.ts';

/** How token sequences are read. */
export interface ReadingOptions {
  /** Prefix of the requests' ids. */
  readonly id: string;
  readonly encodings: readonly Encoding[];
  /** What is done to the stream meanwhile; default nothing. Encoders read before edits at their own hook point. */
  readonly edits?: readonly Edit[];
  readonly specialTokenIds?: ReadonlySet<number>;
  readonly signal?: AbortSignal | null;
  readonly deadline?: number | null;
  /** How many sequences are with the engine at once; default 2. They take turns with whoever else is there. */
  readonly together?: number;
}

/** What the encoders found in one sequence, in their order: all of its tokens. */
export interface SequenceReading {
  readonly tokenIds: Int32Array;
  readonly activations: readonly SparseActivations[];
}

/**
 * Runs token sequences through the model and reads them: in the engine's own steps, beside what it serves, and no further than the last
 * hook point that is read. Results come in the order of the sequences, each as soon as it and those before it are there. Throws what
 * `Engine.submit` throws; leaving the iteration cancels what is still with the engine.
 */
export function readActivations(
  engine: Engine,
  sequences: Iterable<Int32Array> | AsyncIterable<Int32Array>,
  options: ReadingOptions,
): AsyncGenerator<SequenceReading> {
  const { id, together = 2, signal = null } = options;
  return inOrder(sequences, { together, signal }, (tokenIds, stop, index) =>
    readOne(engine, tokenIds, { ...options, id: `${id}-${index}`, signal: stop }),
  );
}

async function readOne(engine: Engine, tokenIds: Int32Array, options: ReadingOptions): Promise<SequenceReading> {
  const parts: (readonly SparseActivations[])[] = [];
  for await (const event of engine.submit(readingRequest(tokenIds, options))) {
    if (event.type === 'activations') parts.push(event.activations);
  }
  const activations = options.encodings.map((_, k) =>
    concatenateActivations(parts.map((part) => activationsOf(part, k))),
  );
  if (activations.some(({ tokens }) => tokens !== tokenIds.length)) {
    throw new TillerError('internal', 'a sequence was read in part');
  }
  return { tokenIds, activations };
}

function activationsOf(part: readonly SparseActivations[], k: number): SparseActivations {
  const one = part[k];
  if (!one) throw new TillerError('internal', 'an encoder was not read');
  return one;
}

/** A request that generates nothing. */
function readingRequest(tokenIds: Int32Array, options: ReadingOptions): GenerateRequest {
  const { id, encodings, edits = [], specialTokenIds = new Set(), signal = null, deadline = null } = options;
  const positionContext = {
    promptLength: tokenIds.length,
    assistantRanges: [],
    promptIsSpecial: Uint8Array.from(tokenIds, (token) => Number(specialTokenIds.has(token))),
    specialTokenIds,
  };
  return greedyRequest(id, tokenIds, 0, { edits, positionContext, encodings, deadline, signal });
}
