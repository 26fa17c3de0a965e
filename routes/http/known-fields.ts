import { z } from '@hono/zod-openapi';

/** Names of the fields that a schema knows at a path of its value, for the nearest-name hints. Empty where nothing is fixed. */
export function knownFields(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  for (const option of alternatives(schema)) {
    const [head, ...rest] = path;
    if (head === undefined) {
      if (option instanceof z.ZodObject) return Object.keys(option.shape);
      continue;
    }
    const inner = step(option, head);
    const names = inner ? knownFields(inner, rest) : [];
    if (names.length > 0) return names;
  }
  return [];
}

function step(schema: z.core.$ZodType, part: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodObject) return schema.shape[String(part)];
  return undefined;
}

/** The schema without its optional, nullable and default wrappers; a union as its options. */
function alternatives(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return alternatives(schema.unwrap());
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(alternatives);
  return [schema];
}

/**
 * The known field that an unknown one looks like a misspelling of, or null. Case and separators do not count (`maxTokens`),
 * and one edit in four letters is forgiven (`temprature`); names of three letters are too short to tell. Anything that
 * begins like `steering` is taken for it: text that silently goes unsteered is the one thing that must not happen.
 */
export function misspellingOf(
  field: string,
  known: readonly string[],
  distance: (a: string, b: string) => number,
): string | null {
  const wanted = plain(field);
  if (wanted.startsWith('steer') && known.includes('steering')) return 'steering';
  const scored = known
    .map((name) => ({ name, far: distance(wanted, plain(name)) }))
    .filter(
      ({ name, far }) => far === 0 || (wanted.length > 3 && far <= Math.floor(Math.max(plain(name).length, 4) / 4)),
    )
    .toSorted((a, b) => a.far - b.far || distance(field, a.name) - distance(field, b.name));
  return scored[0]?.name ?? null;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_\-\s]/g, '');
}
