/** A request that waits for a slot. */
export interface WaitingRequest {
  readonly requestId: string;
  readonly promptLength: number;
  readonly maxTokens: number;
  /** False while the graph variant that the request needs is still being built. */
  readonly ready: boolean;
}

/** First come, first served. Its bound is decided by admission.ts before anything is added. */
export class WaitingQueue {
  #requests: WaitingRequest[] = [];

  get length(): number {
    return this.#requests.length;
  }

  add(request: WaitingRequest): void {
    this.#requests.push(request);
  }

  /** Removes and returns a request; null when it does not wait here. */
  take(requestId: string): WaitingRequest | null {
    const at = this.#requests.findIndex((request) => request.requestId === requestId);
    return at < 0 ? null : (this.#requests.splice(at, 1)[0] ?? null);
  }

  /** The request keeps its place. Nothing happens when it has left meanwhile. */
  markReady(requestId: string): void {
    this.#requests = this.#requests.map((request) =>
      request.requestId === requestId ? { ...request, ready: true } : request,
    );
  }

  list(): readonly WaitingRequest[] {
    return this.#requests;
  }
}
