import { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';
import { readJsonFile } from '../read-json-file.ts';

const rulesSchema = z.array(z.record(z.string(), z.unknown())).min(1);
const fileSchema = z.union([rulesSchema, z.object({ rules: rulesSchema }).transform(({ rules }) => rules)]);

/** Rules as they go over the wire, where they are checked. */
export type WireRules = z.infer<typeof rulesSchema>;

/** The rules of a file; none where there is no file. Throws `invalid_request` for what is no list of rules. */
export function readRules(path: string | null): WireRules {
  if (path === null) return [];
  const parsed = fileSchema.safeParse(readJsonFile(path, 'rules', 'rules file'));
  if (parsed.success) return parsed.data;
  const message = `${path} holds no rules: a list of {"when", "do"} or {"when", "stop"} is wanted, as in steering.rules.`;
  throw new TillerError('invalid_request', message, { param: 'rules' });
}
