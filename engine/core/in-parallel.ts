/**
 * Works on items, at most `count` at once, in order of their beginning. The first failure ends it: nothing more is begun, what was
 * begun is awaited, and the failure is thrown.
 */
export async function inParallel<T>(
  items: readonly T[],
  count: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | null = null;
  const worker = async () => {
    while (failure === null && next < items.length) {
      const item = items[next++] as T;
      try {
        await work(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(count, items.length)) }, worker));
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
}
