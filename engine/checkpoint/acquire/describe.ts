import type { CatalogSource } from './catalog.ts';

/** A source in a person's words. */
export function describeSource(source: CatalogSource): string {
  return source.kind === 'hub'
    ? `Hugging Face Hub (${source.repository})`
    : `Python package ${source.package} ${source.version}`;
}

/** Bytes in MB or GB (powers of ten), three significant digits. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toPrecision(3)} GB`;
  if (bytes >= 1e6) return `${bytes >= 1e8 ? Math.round(bytes / 1e6) : (bytes / 1e6).toPrecision(3)} MB`;
  return `${bytes} bytes`;
}

/** The innermost message of a thrown value (fetch hides what happened in `cause`), on one line. */
export function rootMessage(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause !== undefined) current = current.cause;
  const text = current instanceof Error ? current.message || (errorCode(current) ?? current.name) : String(current);
  return text.replace(/\s+/g, ' ').trim();
}

/** `code` of a system error, also where it is wrapped in `cause`. */
export function errorCode(error: unknown): string | null {
  for (let current = error; current instanceof Error; current = current.cause) {
    const code: unknown = 'code' in current ? current.code : undefined;
    if (typeof code === 'string' && /^E[A-Z]/.test(code)) return code;
  }
  return null;
}
