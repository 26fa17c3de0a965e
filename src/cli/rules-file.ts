import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';

const rulesSchema = z.array(z.record(z.string(), z.unknown())).min(1);
const fileSchema = z.union([rulesSchema, z.object({ rules: rulesSchema }).transform(({ rules }) => rules)]);

/** Rules as they go over the wire, where they are checked. */
export type WireRules = z.infer<typeof rulesSchema>;

/** The rules of a file; none where there is no file. Throws `invalid_request` for what is no list of rules. */
export function readRules(path: string | null): WireRules {
  if (path === null) return [];
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `is not JSON: ${cause.message}` : 'cannot be read';
    throw new TillerError('invalid_request', `The rules file ${path} ${why}.`, { param: 'rules', cause });
  }
  const parsed = fileSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const message = `${path} holds no rules: a list of {"when", "do"} or {"when", "stop"} is wanted, as in steering.rules.`;
  throw new TillerError('invalid_request', message, { param: 'rules' });
}
