/** A job with its times as ISO 8601 texts, as the routes have them, in place of Unix milliseconds. */
export function withTimes<
  Job extends { readonly addedAt: number; readonly startedAt: number | null; readonly endedAt: number | null },
>({ addedAt, startedAt, endedAt, ...job }: Job) {
  return { ...job, created: time(addedAt), started: time(startedAt), ended: time(endedAt) };
}

export function time(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
