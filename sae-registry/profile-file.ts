import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TillerError } from '../engine/core/index.ts';
import { canonicalJson } from './canonical-json.ts';
import { frozenRulesSchema } from './frozen-rules.ts';
import { type FrozenSteering, frozenEditsSchema, frozenHash } from './frozen-steering.ts';
import { fromBlob, toBlob } from './store/float32-blob.ts';
import { profileFingerprintSchema, type SavedProfile } from './store/profiles.ts';

const formatName = 'tiller-profile';
const schemaVersion = 1;
const maxDescription = 10_000;

const fileSchema = z.strictObject({
  format: z.literal(formatName),
  schema_version: z.literal(schemaVersion, { error: `must be ${schemaVersion}, the version that this Tiller reads` }),
  name: z.string(),
  /** Where it was exported; an import gives the next number of its own. */
  version: z.int().min(1),
  description: z.string().max(maxDescription),
  /** ISO 8601. */
  created: z.string(),
  fingerprint: profileFingerprintSchema,
  /** As it was asked for. */
  steering: z.unknown(),
  /** What runs. */
  edits: frozenEditsSchema,
  /** Left out: it has none. */
  rules: frozenRulesSchema.optional(),
  /** Little-endian float32 in base64: that `write` and `read.direction` of the edits point into. */
  directions: z.array(z.base64()),
  /** Of the canonical JSON of all the rest. */
  sha256: z.string(),
});

/** One profile as a file that needs nothing besides: a JSON object. */
export type ProfileFile = z.infer<typeof fileSchema>;

/** What a profile's file holds. */
export interface ReadProfileFile
  extends Omit<ProfileFile, 'edits' | 'rules' | 'directions' | 'format' | 'schema_version'> {
  readonly frozen: FrozenSteering;
}

/** The file of a profile. */
export function toProfileFile(profile: SavedProfile): ProfileFile {
  const { name, version, description, addedAt, fingerprint, steering, frozen } = profile;
  const content: Omit<ProfileFile, 'sha256'> = {
    format: formatName,
    schema_version: schemaVersion,
    name,
    version,
    description,
    created: new Date(addedAt).toISOString(),
    fingerprint,
    steering,
    edits: [...frozen.edits],
    ...(frozen.rules.length > 0 ? { rules: [...frozen.rules] } : {}),
    directions: frozen.directions.map((direction) => toBlob(direction).toString('base64')),
  };
  return { ...content, sha256: sha256Of(content) };
}

/**
 * Reads a profile's file. Throws `invalid_request` that names the field for what is no such file, was written by a newer version,
 * or was changed since it was exported.
 */
export function readProfileFile(json: unknown): ReadProfileFile {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    const path = [...(issue?.path ?? []), ...unknown].join('.');
    const where = path === '' ? '' : ` '${path}':`;
    throw invalid(
      `This is no profile's file of version ${schemaVersion}:${where} ${issue?.message ?? 'not valid'}.`,
      path,
    );
  }
  const { sha256, ...content } = parsed.data;
  if (sha256Of(content) !== sha256) {
    throw invalid(
      "The profile's file was changed since it was exported: its sha256 is another. Export it again.",
      'sha256',
    );
  }
  const { edits, rules = [], directions, format: _format, schema_version: _version, ...rest } = content;
  const frozen = { edits, rules, directions: directions.map(decode) };
  if (frozenHash(frozen) !== rest.fingerprint.hash) {
    throw invalid('The hash of what runs is not that of the fingerprint: export it again.', 'fingerprint.hash');
  }
  return { ...rest, sha256, frozen };
}

function decode(text: string, at: number): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  const param = `directions[${at}]`;
  if (bytes.byteLength === 0 || bytes.byteLength % 4 !== 0) {
    throw invalid(`'${param}' holds ${bytes.byteLength} bytes, which is not a whole number of float32.`, param);
  }
  const values = fromBlob(bytes);
  if (values.every(Number.isFinite)) return values;
  throw invalid(`'${param}' has a number that is not finite.`, param);
}

function sha256Of(content: object): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

function invalid(message: string, param: string): TillerError {
  return new TillerError('invalid_request', message, { param });
}
