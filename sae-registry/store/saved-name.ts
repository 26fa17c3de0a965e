import { TillerError } from '../../engine/core/index.ts';

/** A saved vector or profile as requests name it: `pirate` is its newest version, `pirate:2` that one. */
export interface SavedName {
  readonly name: string;
  /** Null: the newest. */
  readonly version: number | null;
}

/** Letters, digits, `-`, `_` and `.`, a letter or digit first: never a path, a hidden file or a flag. */
const name = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';
const wholeName = new RegExp(`^${name}$`);
const reference = new RegExp(`^(${name})(?::([1-9]\\d{0,8}))?$`);

/** The name, where it can be one. Throws `invalid_request` with what a name is made of. */
export function checkName(text: string, param: string): string {
  if (wholeName.test(text)) return text;
  const message = `'${text.slice(0, 100)}' is no name: up to 64 letters, digits, '-', '_' and '.', of which the first is a letter or digit.`;
  throw new TillerError('invalid_request', message, { param });
}

/** What `name` or `name:version` means; null for what can be no such thing. */
export function parseSavedName(text: string): SavedName | null {
  const [, found, version] = reference.exec(text) ?? [];
  if (found === undefined) return null;
  return { name: found, version: version === undefined ? null : Number(version) };
}

/** `name:version`. */
export function formatSavedName({ name, version }: { readonly name: string; readonly version: number }): string {
  return `${name}:${version}`;
}
