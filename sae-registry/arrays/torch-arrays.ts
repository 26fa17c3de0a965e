import { z } from 'zod';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { fileBytes } from './byte-source.ts';
import { type PickleGlobal, readPickle } from './pickle.ts';
import { type ArrayFile, checkExtent, type StoredArray } from './stored-array.ts';
import { openZip, readMember, type ZipMember } from './zip-members.ts';

/** The pickle beside the tensors: names and shapes. A dictionary's takes a kilobyte. */
const maxPickleBytes = 16 * 2 ** 20;

/** Element types by the storage classes that a pickle names. */
const storages: Readonly<Record<string, string>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

interface Storage {
  readonly type: string;
  readonly member: ZipMember;
}

const size = z.int().nonnegative();
/** storage, offset, shape, strides; what follows is of training */
const tensorSchema = z.tuple([z.custom<Storage>(isStorage), size, z.array(size), z.array(size)]).rest(z.unknown());
const idSchema = z.tuple([z.literal('storage'), z.custom<PickleGlobal>(isObject), z.string(), z.string(), size]);

/**
 * The tensors of a file that `torch.save` wrote of a dictionary of tensors (a state dict): a zip archive (torch 1.6 and later) of a
 * pickle, read as data (pickle.ts) with nothing allowed but what tensors are rebuilt with, and of their bytes, read in place. Throws
 * `source_invalid`, `source_unsupported`.
 */
export async function openTorch(path: string): Promise<ArrayFile> {
  refuseOtherFiles(path);
  const members = await openZip(path, (name) => /\/(data\.pkl|byteorder|data\/\d+)$/.test(name));
  const [pickle, ...more] = [...members.keys()].filter((name) => name.endsWith('/data.pkl'));
  if (pickle === undefined || more.length > 0) {
    throw sourceUnsupported(`${path}: an archive that torch.save did not write (TorchScript, or another program's)`);
  }
  const folder = pickle.slice(0, -'data.pkl'.length);
  const order = members.get(`${folder}byteorder`);
  if (order && Buffer.from(readMember(order)).toString() !== 'little') {
    throw sourceUnsupported(`${path}: a file of a big-endian machine`);
  }
  const data = members.get(pickle) as ZipMember;
  if (data.size > maxPickleBytes) throw sourceInvalid(`${path}: its pickle has ${data.size} bytes.`);
  const root = readPickle(readMember(data), {
    path,
    globals: globalsFor(path),
    persistent: (id) => storageOf(path, id, (key) => members.get(`${folder}data/${key}`)),
  });
  if (!(root instanceof Map)) throw sourceUnsupported(`${path}: a file of torch that is no dictionary of tensors`);
  const arrays = new Map<string, StoredArray>();
  const values = new Map<string, number | string | boolean>();
  for (const [key, value] of root) {
    const name = String(key);
    if (isArray(value)) arrays.set(name, { ...value, name });
    else if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean')
      values.set(name, value);
  }
  return { path, arrays, values };
}

/** All that a pickle may name, made anew for each file so that no two share an object. */
function globalsFor(path: string): ReadonlyMap<string, PickleGlobal> {
  const globals: PickleGlobal[] = [
    { name: 'collections OrderedDict', call: () => new Map() },
    { name: 'torch._utils _rebuild_tensor_v2', call: (args) => tensorOf(path, args) },
    { name: 'torch._utils _rebuild_parameter', call: ([tensor]) => tensor },
    { name: 'torch Size', call: ([sizes]) => sizes },
    ...Object.keys(storages).map((name) => ({ name: `torch ${name}`, call: null })),
  ];
  return new Map(globals.map((global) => [global.name, global]));
}

function storageOf(path: string, id: unknown, memberOf: (key: string) => ZipMember | undefined): Storage {
  const parsed = idSchema.safeParse(id);
  const type = parsed.success ? storages[parsed.data[1].name.replace('torch ', '')] : undefined;
  const member = parsed.success ? memberOf(parsed.data[2]) : undefined;
  if (type === undefined || member === undefined)
    throw sourceInvalid(`${path}: its pickle names bytes that are not there.`);
  return { type, member };
}

function tensorOf(path: string, args: readonly unknown[]): StoredArray {
  const parsed = tensorSchema.safeParse(args);
  if (!parsed.success) throw sourceInvalid(`${path}: its pickle has a malformed tensor.`);
  const [{ type, member }, first, shape, strides] = parsed.data;
  const { bytes } = member;
  const width = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, I16: 2 }[type] ?? 1;
  return checkExtent({ name: 'a tensor', type, shape, strides, bytes, offset: member.offset + first * width });
}

/** Before 1.6, torch wrote a bare pickle (or a tar archive) with the bytes behind it. */
function refuseOtherFiles(path: string): void {
  const file = fileBytes(path);
  const start = new Uint8Array(Math.min(4, file.size));
  file.use((read) => read(0, start));
  if (Buffer.from(start).toString('latin1') === 'PK\x03\x04') return;
  throw sourceUnsupported(
    `${path}: a file that is no zip archive, as torch wrote them before 1.6 (write it anew with torch.save, or as safetensors)`,
  );
}

function isStorage(value: unknown): boolean {
  return isObject(value) && 'member' in value && 'type' in value;
}

function isArray(value: unknown): value is StoredArray {
  return isObject(value) && 'strides' in value && 'bytes' in value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Map) && !Array.isArray(value);
}
