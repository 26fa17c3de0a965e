import { createHash, type Hash } from 'node:crypto';
import { TillerError } from '../../core/index.ts';

/** What a file must turn out to be: its size, and one digest of its content in hexadecimal. */
export interface ExpectedFile {
  readonly bytes: number;
  readonly sha256?: string;
  /** git's object id, SHA-1 over `blob <bytes>\0` and the content: all that the Hub states of files which are not in LFS. */
  readonly gitBlob?: string;
}

/** The digest that a file must have, with its name for messages. */
export function digestOf({ sha256, gitBlob }: ExpectedFile): { readonly name: string; readonly hex: string } {
  if (sha256 !== undefined) return { name: 'sha256', hex: sha256 };
  if (gitBlob !== undefined) return { name: 'git blob id', hex: gitBlob };
  throw new TillerError('internal', 'A file is expected of which no digest is known.');
}

/** A hash that gives the digest of the expected kind once it is fed the content. */
export function hashFor(expected: ExpectedFile): Hash {
  if (expected.sha256 !== undefined) return createHash('sha256');
  return createHash('sha1').update(`blob ${expected.bytes}\0`);
}

/** What is wrong, in words. `digest` is null where the size alone was wrong. */
export function mismatch(
  got: { readonly bytes: number; readonly digest: string | null },
  expected: ExpectedFile,
): TillerError {
  const { name, hex } = digestOf(expected);
  return new TillerError(
    'checksum_mismatch',
    got.bytes === expected.bytes
      ? `its ${name} is ${got.digest}, expected ${hex}`
      : `it holds ${got.bytes} bytes, expected ${expected.bytes}`,
  );
}
