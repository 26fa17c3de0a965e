import { parseArgs } from 'node:util';
import { z } from 'zod';

export const count = z
  .string()
  .regex(/^[1-9]\d{0,5}$/, 'must be a whole number above zero')
  .transform(Number);
export const counts = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(count).min(1));

export const words = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.string().min(1)).min(1));
export const decimals = z
  .string()
  .transform((text) => text.split(',').map(Number))
  .pipe(z.array(z.number().positive()).min(1));
export const wholeNumber = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number')
  .transform(Number);
export const wholeNumbers = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(wholeNumber).min(1));
export const retries = [wholeNumber, '3', 'rounds measured again because other programs disturbed them'] as const;

/** Schema, default, and what it is. */
type OptionTable = Readonly<Record<string, readonly [z.ZodType<unknown, string>, string, string]>>;
type OptionValues<Table extends OptionTable> = { readonly [Key in keyof Table]: z.output<Table[Key][0]> };

/** Reads the process's arguments. `--help` and mistakes end the process. */
export function readOptions<Table extends OptionTable>(
  command: string,
  description: string,
  table: Table,
): OptionValues<Table> & { readonly check: boolean } {
  const usage = [
    `npm run ${command} -- [options]\n${description}.\n`,
    ...Object.entries(table).map(
      ([name, [, fallback, what]]) => `  --${name.padEnd(14)} ${what} (default: ${fallback})`,
    ),
    `  --${'check'.padEnd(14)} exit with status 1 when a gate fails`,
    `  --${'help'.padEnd(14)} this text`,
  ].join('\n');
  try {
    const strings = Object.fromEntries(Object.keys(table).map((name) => [name, { type: 'string' as const }]));
    const switches = { check: { type: 'boolean' as const }, help: { type: 'boolean' as const } };
    const { values } = parseArgs({ options: { ...strings, ...switches }, strict: true });
    const given: Readonly<Record<string, unknown>> = values;
    if (given.help) {
      console.log(usage);
      process.exit(0);
    }
    const read = Object.entries(table).map(([name, [schema, fallback]]) => {
      const parsed = schema.safeParse(given[name] ?? fallback);
      if (!parsed.success) throw new Error(`--${name}: ${parsed.error.issues[0].message}`);
      return [name, parsed.data];
    });
    return { ...(Object.fromEntries(read) as OptionValues<Table>), check: given.check === true };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}
