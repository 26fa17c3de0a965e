import { createHash } from 'node:crypto';
import type { Edit } from '../core/edit.ts';

const digests = new WeakMap<Edit, string>();

/**
 * SHA-256, in base64, over all that an edit does to a token that its mask names: equal digests are equal arithmetic. Where
 * it applies (positions, `skipSpecial`) is left out: the mask says that. Computed once an edit.
 */
export function editDigest(edit: Edit): string {
  let digest = digests.get(edit);
  if (digest === undefined) {
    digest = digestOf(edit);
    digests.set(edit, digest);
  }
  return digest;
}

function digestOf({ hookPoint, read, coefficient, write, activeAbove, sinkNorm }: Edit): string {
  const { beta, gamma, low, high } = coefficient;
  const hash = createHash('sha256');
  // Every part has a length of its own or one that is written before it, so that no two edits write the same bytes.
  const name = Buffer.from(hookPoint);
  const numbers = [beta, gamma, low, high, activeAbove, sinkNorm, read === null ? 0 : 1];
  hash.update(Float64Array.of(name.length, write.length, read?.direction.length ?? 0, ...numbers));
  hash.update(name).update(write);
  if (read !== null) hash.update(Float64Array.of(read.bias, read.threshold)).update(read.direction);
  return hash.digest('base64');
}
