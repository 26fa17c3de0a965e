import { z } from 'zod';
import { TillerError } from '../engine/core/index.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One thing that can be set by a flag or by a variable. */
export interface Setting<T> {
  /** In commander's notation: `--max-rows <n>`; without an argument it is a switch. */
  readonly flags: string;
  readonly variable: string;
  readonly description: string;
  /** For the help text; null where there is none. */
  readonly defaultText: string | null;
  /** The flag may be given several times; the variable separates by commas. */
  readonly repeatable: boolean;
  /** Spaces around a repeated text belong to it. Left out: they do not. */
  readonly verbatim?: boolean;
  /** From text (switches: a boolean or text, repeatable ones: a list of texts) to the value. */
  readonly schema: z.ZodType<T>;
  readonly fallback: (environment: Environment) => T;
}

export type SettingTable = Readonly<Record<string, Setting<unknown>>>;
export type SettingValues<Table extends SettingTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Setting<infer T> ? T : never;
};

/** A setting whose default is one value, shown in the help. */
export function setting<T>(
  flags: string,
  variable: string,
  description: string,
  schema: z.ZodType<T>,
  fallback: NoInfer<T> | ((environment: Environment) => NoInfer<T>),
  options: { readonly defaultText?: string; readonly repeatable?: boolean; readonly verbatim?: boolean } = {},
): Setting<T> {
  const computed = typeof fallback === 'function';
  const shown = computed || fallback === null || fallback === false ? null : String(fallback);
  return {
    flags,
    variable,
    description,
    defaultText: options.defaultText ?? (shown === '' ? null : shown),
    repeatable: options.repeatable ?? false,
    ...(options.verbatim ? { verbatim: true } : {}),
    schema,
    fallback: computed ? (fallback as (environment: Environment) => T) : () => fallback as T,
  };
}

/** A setting of any text but the empty one; null where it is not given. */
export function textSetting(
  flags: string,
  variable: string,
  description: string,
  defaultText?: string,
): Setting<string | null> {
  const text = z.string().min(1, 'must not be empty').nullable();
  return setting(flags, variable, description, text, null, { defaultText });
}

/** The long flag alone: `--max-rows`. */
export function longFlag(entry: Pick<Setting<unknown>, 'flags'>): string {
  return /--[a-z-]+/.exec(entry.flags)?.[0] ?? entry.flags;
}

/**
 * The value of every setting in the table: flag over variable over default. A variable that is set but empty counts as not
 * set. Throws `invalid_request` that names the flag and the variable.
 */
export function readSettings<Table extends SettingTable>(
  table: Table,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): SettingValues<Table> {
  const values = Object.entries(table).map(([key, entry]) => [key, readSetting(entry, flags[key], environment)]);
  return Object.fromEntries(values) as SettingValues<Table>;
}

function readSetting(entry: Setting<unknown>, flag: unknown, environment: Environment): unknown {
  const variable = environment[entry.variable] || undefined;
  const raw = flag ?? (entry.repeatable ? variable?.split(',') : variable);
  if (raw === undefined) return entry.fallback(environment);
  const textOf = (item: unknown) => (entry.verbatim ? String(item) : String(item).trim());
  const given = entry.repeatable && Array.isArray(raw) ? raw.map(textOf).filter(Boolean) : raw;
  const parsed = entry.schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const where = flag === undefined ? entry.variable : longFlag(entry);
  const other = flag === undefined ? longFlag(entry) : entry.variable;
  throw new TillerError(
    'invalid_request',
    `Invalid value '${String(raw)}' for ${where} (also ${other}): ${parsed.error.issues[0]?.message ?? 'not valid'}.`,
    { param: longFlag(entry).slice(2) },
  );
}
