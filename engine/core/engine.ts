import type { EngineStatistics } from './engine-events.ts';
import type { GenerateRequest, GenerationEvent } from './request.ts';

/** A loaded model that generates: continuous batching over one executor. engine/engine.ts implements it. */
export interface Engine {
  /**
   * Queues a request. Admission is decided before this returns: throws `context_length_exceeded`, `queue_full`, `draining`
   * (and `invalid_request`, `cancelled`, `deadline_exceeded`) at once. The events arrive in the order of GenerationEvent; a
   * failure ends the iteration with a TillerError. Leaving the iteration early, or aborting the request's signal, frees its
   * row within one step.
   */
  submit(request: GenerateRequest): AsyncIterable<GenerationEvent>;
  statistics(): EngineStatistics;
  /**
   * Refuses new requests, lets running and queued ones finish, and cancels what is left after so many milliseconds (they
   * end with `draining`).
   */
  drain(deadlineMilliseconds: number): Promise<void>;
  close(): Promise<void>;
}
