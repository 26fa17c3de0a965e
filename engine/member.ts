import type { EngineEvent } from './core/engine-events.ts';
import type { TillerError } from './core/errors.ts';
import type { GenerationEvent } from './core/request.ts';
import type { EventQueue } from './event-queue.ts';
import type { Generation } from './generation.ts';
import type { RequestTimes } from './request-times.ts';
import { steeringClassOf, steeringKey } from './steering-class.ts';

/** A request inside, with what ties it to its caller. */
export class Member {
  readonly generation: Generation;
  readonly events: EventQueue<GenerationEvent>;
  readonly times: RequestTimes;
  /** Lets go of the caller's signal and the timers. */
  release: () => void = () => {};
  #steering: string | null | undefined;

  constructor(generation: Generation, events: EventQueue<GenerationEvent>, times: RequestTimes) {
    this.generation = generation;
    this.events = events;
    this.times = times;
  }

  /** Equal for requests with the same edits and rules; null without either. */
  get steering(): string | null {
    if (this.#steering === undefined)
      this.#steering = steeringKey(this.generation.request.edits, this.generation.request.rules);
    return this.#steering;
  }

  /** Its first step is about to run, with so many tokens taken from the prefix cache. */
  start(cachedTokens: number, now: number): EngineEvent {
    const { generation, times } = this;
    generation.queueMilliseconds = times.start(now);
    generation.cachedTokens = cachedTokens;
    return { type: 'started', requestId: generation.request.id, queueMilliseconds: generation.queueMilliseconds };
  }

  /** What an event of the reply means for whoever watches the engine. */
  observed(event: GenerationEvent, now: number): EngineEvent | null {
    const { generation, times } = this;
    const requestId = generation.request.id;
    if (event.type === 'prompt') {
      return {
        type: 'prompt_read',
        requestId,
        steeringClass: steeringClassOf(generation.request),
        promptTokens: generation.request.promptTokenIds.length,
        cachedTokens: event.cachedTokens,
        milliseconds: times.readPrompt(now),
      };
    }
    if (event.type !== 'token') return null;
    const type = times.hasToken ? 'next_token' : 'first_token';
    return { type, requestId, milliseconds: times.token(now) };
  }

  /** The end of it, for whoever watches. */
  finished(outcome: Extract<EngineEvent, { type: 'finished' }>['outcome'], now: number): EngineEvent {
    const { request, generated } = this.generation;
    return {
      type: 'finished',
      requestId: request.id,
      outcome,
      promptTokens: request.promptTokenIds.length,
      completionTokens: generated,
      steered: request.edits.length > 0 || (request.rules?.rules ?? []).some(({ edits }) => edits.length > 0),
      ...this.times.parts(now),
    };
  }
}

/** What became of a request for its caller. */
export interface Ending {
  readonly outcome: Extract<EngineEvent, { type: 'finished' }>['outcome'];
  readonly error: TillerError | null;
}
