/** What the engine tells whoever watches it (metrics, logs). Plain values, emitted synchronously after a step. */
export type EngineEvent =
  | { readonly type: 'queued'; readonly requestId: string }
  | { readonly type: 'started'; readonly requestId: string; readonly queueMilliseconds: number }
  | { readonly type: 'first_token'; readonly requestId: string; readonly milliseconds: number }
  | {
      readonly type: 'step';
      readonly kind: 'prefill' | 'decode';
      readonly rows: number;
      readonly steeredRows: number;
      readonly tokens: number;
      readonly milliseconds: number;
    }
  | {
      readonly type: 'finished';
      readonly requestId: string;
      readonly outcome: 'stop' | 'length' | 'cancelled' | 'deadline' | 'error';
      readonly promptTokens: number;
      readonly completionTokens: number;
      readonly steered: boolean;
      readonly milliseconds: number;
    };

export type EngineObserver = (event: EngineEvent) => void;

/** A snapshot for gauges. */
export interface EngineStatistics {
  readonly running: number;
  readonly waiting: number;
  readonly slots: number;
  readonly context: number;
  /** Tokens held in KV slots now. */
  readonly keyValueTokens: number;
  readonly queueLimit: number;
  readonly draining: boolean;
}
