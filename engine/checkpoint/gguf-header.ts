import { TillerError } from '../core/index.ts';
import { GgufReader, type GgufValue, HeaderGoesOn } from './gguf-reader.ts';
import { ggmlTypeName, isReadable } from './gguf-types.ts';
import { maxDimensions, maxGgufHeaderBytes, maxMetadataKeys, maxTensorElements, maxTensors } from './limits.ts';
import type { LocalFile } from './local-file.ts';
import { blockLayouts, elementCount, type TensorType } from './tensor.ts';

/** A tensor as the header describes it; `offset` counts from the start of the file. */
export interface GgufEntry {
  readonly name: string;
  /** Row major, outermost first: the reverse of ggml's order. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly entries: readonly GgufEntry[];
}

/** The default model's header has 1.8 MB. */
const firstRead = 4 * 2 ** 20;
/** ggml's default, and the bounds within which an alignment makes sense. */
const defaultAlignment = 32;
const maxAlignment = 65_536;

/**
 * Reads and checks the header of a GGUF file. Nobody knows its length beforehand: it is parsed from the first 4 MiB, and from twice as
 * much each time it turns out to go on. Throws `checkpoint_invalid` or `checkpoint_unsupported` naming the key or tensor at fault.
 */
export async function readGgufHeader(file: LocalFile): Promise<GgufHeader> {
  for (let window = firstRead; ; window *= 2) {
    const bytes = Buffer.alloc(Math.min(window, file.size));
    await file.read(0, bytes);
    try {
      return parseHeader(new GgufReader(bytes, file.size, file.path), file.size);
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error;
      if (window >= maxGgufHeaderBytes) {
        throw new TillerError(
          'checkpoint_invalid',
          `${file.path} is refused: its header exceeds ${maxGgufHeaderBytes} bytes.`,
        );
      }
    }
  }
}

function parseHeader(reader: GgufReader, fileSize: number): GgufHeader {
  if (reader.uint32() !== 0x46554747) throw reader.invalid("it does not begin with 'GGUF'");
  checkVersion(reader, reader.uint32());
  const tensorCount = reader.count('the number of tensors', maxTensors);
  const keyCount = reader.count('the number of metadata keys', maxMetadataKeys);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = reader.name(`metadata key ${i}`);
    if (metadata.has(key)) throw reader.invalid(`metadata key '${key}' occurs twice`);
    metadata.set(key, reader.value(key));
  }
  const alignment = metadata.get('general.alignment') ?? defaultAlignment;
  if (typeof alignment !== 'number' || alignment < 8 || alignment > maxAlignment || alignment % 8 !== 0) {
    throw reader.invalid(`general.alignment is ${alignment}`);
  }
  const seen = new Set<string>();
  const entries = Array.from({ length: tensorCount }, (_, index) => parseEntry(reader, index, seen, alignment));
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  return { metadata, entries: place(reader, entries, dataStart, fileSize) };
}

function checkVersion(reader: GgufReader, version: number): void {
  if (version === 2 || version === 3) return;
  if (version === 0x02000000 || version === 0x03000000) {
    throw new TillerError('checkpoint_unsupported', 'Big-endian GGUF files are not supported; convert it again.');
  }
  if (version === 1)
    throw new TillerError('checkpoint_unsupported', 'GGUF version 1 is not supported; convert it again.');
  throw reader.invalid(`its GGUF version is ${version}; versions 2 and 3 are read`);
}

/** One tensor description; its offset still counts from the start of the data. */
function parseEntry(reader: GgufReader, index: number, seen: Set<string>, alignment: number): GgufEntry {
  const name = reader.name(`the name of tensor ${index}`);
  if (seen.has(name)) throw reader.invalid(`tensor '${name}' occurs twice`);
  seen.add(name);
  const dimensions = reader.uint32();
  if (dimensions > maxDimensions) throw reader.invalid(`tensor '${name}' claims ${dimensions} dimensions`);
  const shape = Array.from({ length: dimensions }, () =>
    reader.count(`a dimension of tensor '${name}'`, maxTensorElements),
  ).reverse();
  const elements = elementCount(shape);
  if (elements === 0 || elements > maxTensorElements) {
    throw reader.invalid(`tensor '${name}' claims the shape [${shape.join(', ')}]`);
  }
  const type = ggmlTypeName(reader.uint32());
  if (type === undefined) throw reader.invalid(`tensor '${name}' has an unknown type`);
  if (!isReadable(type)) {
    throw new TillerError(
      'checkpoint_unsupported',
      `Tensor '${name}' is of type ${type}, which is not read; ${Object.keys(blockLayouts).join(', ')} are. Quantise the model again to one of these.`,
    );
  }
  const block = blockLayouts[type];
  if ((shape.at(-1) ?? 1) % block.elements !== 0) {
    throw reader.invalid(`tensor '${name}' has rows of ${shape.at(-1)} elements, which do not fill blocks of ${type}`);
  }
  const offset = reader.count(`the offset of tensor '${name}'`, Number.MAX_SAFE_INTEGER);
  if (offset % alignment !== 0) {
    throw reader.invalid(`tensor '${name}' lies at offset ${offset}, not a multiple of ${alignment}`);
  }
  return { name, shape, type, offset, byteLength: (elements / block.elements) * block.bytes };
}

/** Makes offsets count from the start of the file, and refuses tensors that overlap or leave it. */
function place(reader: GgufReader, entries: readonly GgufEntry[], dataStart: number, fileSize: number): GgufEntry[] {
  const placed = entries.map((entry) => ({ ...entry, offset: dataStart + entry.offset }));
  let end = dataStart;
  let previous = '';
  for (const entry of [...placed].sort((a, b) => a.offset - b.offset)) {
    if (entry.offset < end) throw reader.invalid(`tensor '${entry.name}' overlaps tensor '${previous}'`);
    end = entry.offset + entry.byteLength;
    if (end > fileSize) {
      throw reader.invalid(
        `tensor '${entry.name}' ends at byte ${end}, beyond the ${fileSize} of the file. Is it truncated?`,
      );
    }
    previous = entry.name;
  }
  return placed;
}
