import { sourceInvalid } from '../source-error.ts';
import { type ArrayFile, checkExtent, rowMajor, type StoredArray } from './stored-array.ts';
import { openZip, readMember, type ZipMember } from './zip-members.ts';

/** numpy's type codes that are read; an array of others (of pickled objects, `|O`) is refused when it is asked for. */
const types: Readonly<Record<string, string>> = {
  '<f8': 'F64',
  '<f4': 'F32',
  '<f2': 'F16',
  '<i8': 'I64',
  '<i4': 'I32',
};

/** The arrays of a .npz archive (numpy/lib/format.py): a zip of .npy files, none of them read yet. Throws `source_invalid`. */
export async function openNpz(path: string): Promise<ArrayFile> {
  const members = await openZip(path, (name) => name.endsWith('.npy'));
  const arrays = Array.from(members, ([file, member]) => {
    const name = file.replace(/\.npy$/, '');
    return [name, npyArray(path, name, member)] as const;
  });
  return { path, arrays: new Map(arrays), values: new Map() };
}

/** Magic, version, length of the header, and the header: a Python dict literal of three fields. */
function npyArray(path: string, name: string, member: ZipMember): StoredArray {
  const prefix = readMember({ ...member, size: Math.min(12, member.size) });
  const view = new DataView(prefix.buffer);
  if (prefix.length < 12 || Buffer.from(prefix.subarray(0, 6)).toString('latin1') !== '\x93NUMPY') {
    throw sourceInvalid(`${path}: ${name} is no numpy array.`);
  }
  const start = prefix[6] === 1 ? 10 : 12;
  const length = prefix[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > Math.min(member.size, 2 ** 20)) throw sourceInvalid(`${path}: ${name} has a malformed header.`);
  const header = Buffer.from(readMember({ ...member, offset: member.offset + start, size: length })).toString('latin1');
  const type = /'descr': *'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(header)?.[1];
  const sizes = /'shape': *\(([\d, ]*)\)/.exec(header)?.[1];
  if (type === undefined || order === undefined || sizes === undefined) {
    throw sourceInvalid(`${path}: ${name} has a malformed header.`);
  }
  const shape = [...sizes.matchAll(/\d+/g)].map(Number);
  const strides = order === 'True' ? rowMajor(shape.toReversed()).toReversed() : rowMajor(shape);
  const offset = member.offset + start + length;
  return checkExtent({ name, type: types[type] ?? type, shape, strides, bytes: member.bytes, offset });
}
