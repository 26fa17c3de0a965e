import { z } from 'zod';
import { duplicateKey } from '../core/duplicate-key.ts';
import { TillerError } from '../core/index.ts';
import { exceededBound } from './json-bounds.ts';
import { maxDimensions, maxNameBytes, maxTensorElements, maxTensors, safetensorsHeaderBounds } from './limits.ts';
import type { LocalFile } from './local-file.ts';
import { schemaIssues } from './schema-issues.ts';
import { elementCount } from './tensor.ts';

/** A tensor as the header describes it. `offset` counts from the start of the file; `dtype` is safetensors' word. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[];
  /** The `__metadata__` strings. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bits of one element, by safetensors' names (safetensors/src/tensor.rs, `Dtype`). */
const dtypeBits: Readonly<Record<string, number>> = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  F64: 64,
  I64: 64,
  U64: 64,
  C64: 64,
};

const size = z.number().int().nonnegative();
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(size).max(maxDimensions),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string());

/**
 * Reads and checks the header of a safetensors file: eight bytes of length, JSON, then the tensors without gaps or overlaps up to
 * the end of the file. Throws `checkpoint_invalid` naming the tensor at fault.
 */
export async function readSafetensorsHeader(file: LocalFile): Promise<SafetensorsHeader> {
  const prefix = new Uint8Array(8);
  if (file.size < 8) throw invalid(file, 'it is shorter than the eight bytes of its header length');
  await file.read(0, prefix);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > file.size - 8 || length > safetensorsHeaderBounds.bytes) {
    throw invalid(file, `its header claims ${length} bytes (the file has ${file.size}). Is it a safetensors file?`);
  }
  const bytes = new Uint8Array(length);
  await file.read(8, bytes);
  const exceeded = exceededBound(bytes, safetensorsHeaderBounds);
  if (exceeded !== null) throw invalid(file, `its header ${exceeded}`);
  const { __metadata__: metadata = {}, ...tensors } = parseHeader(file, bytes);
  const checkedMetadata = metadataSchema.safeParse(metadata);
  if (!checkedMetadata.success) throw invalid(file, '__metadata__ is not an object of strings');
  const names = Object.keys(tensors);
  if (names.length > maxTensors)
    throw invalid(file, `it lists ${names.length} tensors; at most ${maxTensors} are read`);
  const start = 8 + length;
  const entries = names.map((name) => parseEntry(file, name, tensors[name], start));
  checkCoverage(file, entries, start);
  return { entries, metadata: checkedMetadata.data };
}

function parseHeader(file: LocalFile, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(file, 'its header is not JSON', error);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid(file, 'its header is not a JSON object');
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw invalid(file, `its header names tensor '${twice}' twice`);
  return { ...parsed };
}

function parseEntry(file: LocalFile, name: string, value: unknown, start: number): SafetensorsEntry {
  const entry = entrySchema.safeParse(value);
  if (!entry.success) throw invalid(file, `tensor '${name}' has a malformed entry: ${schemaIssues(entry.error)}`);
  if (Buffer.byteLength(name) > maxNameBytes) throw invalid(file, 'it has a tensor with an absurdly long name');
  const { dtype, shape, data_offsets: range } = entry.data;
  const bits = Object.hasOwn(dtypeBits, dtype) ? dtypeBits[dtype] : undefined;
  if (bits === undefined) throw invalid(file, `tensor '${name}' has the unknown dtype '${dtype}'`);
  const elements = elementCount(shape);
  if (elements > maxTensorElements) throw invalid(file, `tensor '${name}' claims ${elements} elements`);
  const byteLength = range[1] - range[0];
  if (byteLength !== (elements * bits) / 8) {
    throw invalid(
      file,
      `tensor '${name}' has ${byteLength} bytes, but ${dtype} [${shape.join(', ')}] takes ${(elements * bits) / 8}`,
    );
  }
  if (start + range[1] > file.size) {
    throw invalid(file, `tensor '${name}' ends at byte ${start + range[1]}, beyond its ${file.size}. Is it truncated?`);
  }
  return { name, dtype, shape, offset: start + range[0], byteLength };
}

/** The format wants every byte after the header to belong to exactly one tensor. */
function checkCoverage(file: LocalFile, entries: readonly SafetensorsEntry[], start: number): void {
  let end = start;
  let previous = 'the header';
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)) {
    if (entry.offset < end) throw invalid(file, `tensor '${entry.name}' overlaps ${previous}`);
    if (entry.offset > end) throw invalid(file, `there is a gap between ${previous} and tensor '${entry.name}'`);
    end = entry.offset + entry.byteLength;
    previous = `tensor '${entry.name}'`;
  }
  if (end !== file.size) throw invalid(file, `${file.size - end} bytes follow ${previous}`);
}

function invalid(file: LocalFile, what: string, cause?: unknown): TillerError {
  return new TillerError('checkpoint_invalid', `${file.path} is refused: ${what}.`, { cause });
}
