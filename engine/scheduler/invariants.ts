/** What must hold of a scheduler between steps, as a pure check over a snapshot. Tests run it after every step. */

export interface RowSnapshot {
  readonly requestId: string;
  readonly slot: number;
  /** Tokens in the slot. */
  readonly tokens: number;
  readonly promptLength: number;
  readonly maxTokens: number;
  /** Cancelled or failed while a step runs; its slot is given back when the step ends. */
  readonly leaving: boolean;
}

export interface SchedulerSnapshot {
  readonly slots: number;
  readonly context: number;
  readonly queueLimit: number;
  readonly stepInFlight: boolean;
  /** Ids in the order they came. */
  readonly waiting: readonly { readonly requestId: string; readonly arrival: number }[];
  readonly prefilling: RowSnapshot | null;
  readonly running: readonly RowSnapshot[];
}

/** Every violation, in words; empty when all is well. */
export function findViolations(snapshot: SchedulerSnapshot): string[] {
  return [...slotViolations(snapshot), ...rowViolations(snapshot), ...queueViolations(snapshot)];
}

function slotViolations({ running, prefilling, slots, stepInFlight }: SchedulerSnapshot): string[] {
  const found: string[] = [];
  running.forEach((row, index) => {
    if (row.slot !== index) found.push(`running row ${index} (${row.requestId}) holds slot ${row.slot}`);
  });
  if (running.length > slots) found.push(`${running.length} rows run in ${slots} slots`);
  if (prefilling && (prefilling.slot < running.length || prefilling.slot >= slots)) {
    found.push(
      `the prefilling row holds slot ${prefilling.slot}, with ${running.length} rows running of ${slots} slots`,
    );
  }
  for (const row of prefilling ? [...running, prefilling] : running) {
    if (row.leaving && !stepInFlight) found.push(`${row.requestId} left but still holds slot ${row.slot}`);
  }
  return found;
}

function rowViolations({ running, prefilling, context }: SchedulerSnapshot): string[] {
  const found: string[] = [];
  for (const row of running) {
    // the newest token is not in the cache yet: it is the next step's input
    const generated = row.tokens - row.promptLength + 1;
    if (generated < 1 || generated >= row.maxTokens) {
      found.push(`${row.requestId} runs with ${generated} of ${row.maxTokens} tokens generated`);
    }
  }
  if (prefilling && (prefilling.tokens < 0 || prefilling.tokens >= prefilling.promptLength)) {
    found.push(`${prefilling.requestId} prefills with ${prefilling.tokens} of ${prefilling.promptLength} tokens read`);
  }
  for (const row of prefilling ? [...running, prefilling] : running) {
    if (row.promptLength + row.maxTokens > context) found.push(`${row.requestId} does not fit the context`);
  }
  return found;
}

function queueViolations({ waiting, running, prefilling, slots, queueLimit }: SchedulerSnapshot): string[] {
  const found: string[] = [];
  const ids = [...waiting, ...running, ...(prefilling ? [prefilling] : [])].map((row) => row.requestId);
  if (new Set(ids).size !== ids.length) found.push('a request is in two places');
  if (ids.length > slots + queueLimit) found.push(`${ids.length} requests inside, ${slots + queueLimit} allowed`);
  for (let index = 1; index < waiting.length; index++) {
    if ((waiting[index]?.arrival ?? 0) <= (waiting[index - 1]?.arrival ?? 0)) found.push('the queue is out of order');
  }
  return found;
}
