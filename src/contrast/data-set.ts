import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { nearest, TillerError } from '../../engine/index.ts';
import { bundledFolder, eachJsonLine } from '../../sae-registry/index.ts';

const itemSchema = z.union([
  z.string().min(1),
  z.looseObject({ text: z.string().min(1) }),
  z.looseObject({ messages: z.array(z.unknown()).min(1) }),
  z.looseObject({ token_ids: z.array(z.int()).min(1) }),
]);
const lineSchema = z.union([
  z.strictObject({ positive: itemSchema, negative: itemSchema, topic: z.string().optional() }),
  z.looseObject({ class: z.enum(['positive', 'negative']) }),
]);

/** The fields `pairs`, or `positive` and `negative`, of a contrast's body. */
export type DataSetBody =
  | { readonly pairs: readonly unknown[] }
  | { readonly positive: readonly unknown[]; readonly negative: readonly unknown[] };

/** Names of the data sets that come with Tiller: sae-registry/bundled/contrasts. */
export function bundledDataSets(): string[] {
  const folder = contrastsFolder();
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder).map((name) => name.replace(/\.jsonl$/, ''));
}

/**
 * A data set by the name of a bundled one or the path of a file: JSON lines, each a pair (`{"positive", "negative", "topic"}`) or an item
 * of a class (`{"class": "positive", "text" or "messages", "topic"}`); all lines of one kind. Throws `invalid_request` naming the line.
 */
export async function readDataSet(nameOrPath: string): Promise<DataSetBody> {
  const path = bundledDataSets().includes(nameOrPath) ? join(contrastsFolder(), `${nameOrPath}.jsonl`) : nameOrPath;
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    const message = `There is no file and no bundled data set '${nameOrPath}': bundled are ${bundledDataSets().join(', ')}.`;
    throw new TillerError('invalid_request', message, { suggestions: nearest(nameOrPath, bundledDataSets()) });
  }
  const pairs: unknown[] = [];
  const classes = { positive: [] as unknown[], negative: [] as unknown[] };
  let hasClasses = false;
  for await (const { number, value, reason } of eachJsonLine(createReadStream(path), lineSchema)) {
    if (reason !== null) throw new TillerError('invalid_request', `${path}, line ${number} ${reason}`);
    if ('class' in value) {
      const { class: of, ...item } = value;
      classes[of].push(item);
      hasClasses = true;
    } else pairs.push(value);
    if (hasClasses && pairs.length > 0) {
      const message = `${path}, line ${number}: the lines are pairs or items of a class, not both.`;
      throw new TillerError('invalid_request', message);
    }
  }
  if (!hasClasses && pairs.length === 0) throw new TillerError('invalid_request', `${path} has no line.`);
  return hasClasses ? classes : { pairs };
}

function contrastsFolder(): string {
  return join(bundledFolder(), 'contrasts');
}
