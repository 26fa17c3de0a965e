import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readArray } from '../../sae-registry/arrays/stored-array.ts';
import { openTorch } from '../../sae-registry/arrays/torch-arrays.ts';
import { loadDictionary } from '../../sae-registry/index.ts';
import { writeZip } from '../harness/write-zip.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-pickle-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** A file of torch with this pickle and a storage `0` of four floats. */
function torchFile(pickle: Buffer): string {
  const path = join(folder, `${count++}.pt`);
  writeZip(path, { 'a/data.pkl': pickle, 'a/byteorder': Buffer.from('little'), 'a/data/0': Buffer.alloc(16, 0x40) });
  return path;
}

/** Pickles are put together of these, as Python's pickletools prints them. */
const protocol = Buffer.of(0x80, 2);
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);
const text = (value: string) => Buffer.concat([Buffer.of(0x58, value.length, 0, 0, 0), Buffer.from(value)]);
const byte = (value: number) => Buffer.of(0x4b, value);
const tuple = (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
const reduce = (callee: Buffer, ...args: Buffer[]) => Buffer.concat([callee, tuple(...args), Buffer.from('R')]);
const dictionary = (key: string, value: Buffer) =>
  Buffer.concat([Buffer.from('}('), text(key), value, Buffer.from('u')]);
const stop = Buffer.from('.');
const storage = Buffer.concat([
  tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), byte(4)),
  Buffer.from('Q'),
]);
const rebuild = global('torch._utils', '_rebuild_tensor_v2');
const tensor = (offset: number, shape: number[], strides: number[], of = storage) =>
  reduce(
    rebuild,
    of,
    byte(offset),
    tuple(...shape.map(byte)),
    tuple(...strides.map(byte)),
    Buffer.of(0x89),
    Buffer.from('}'),
  );
const pickle = (...parts: Buffer[]) => Buffer.concat([protocol, ...parts, stop]);
const sound = pickle(dictionary('w', tensor(0, [2, 2], [1, 2])));

describe('a pickle of tensors', () => {
  it('is read with the strides that it has', async () => {
    const { arrays } = await openTorch(torchFile(sound));
    const w = arrays.get('w');
    expect(w).toMatchObject({ shape: [2, 2], strides: [1, 2], type: 'F32' });
    expect(w && readArray(w)).toEqual(new Float32Array(4).fill(Buffer.alloc(4, 0x40).readFloatLE()));
  });

  const marker = join(folder, 'executed');
  const system = (module: string) => reduce(global(module, 'system'), text(`touch ${marker}`));
  it.each([
    ['runs a command', pickle(system('os')), /os\.system.*nothing was run/],
    ['runs a command under its other name', pickle(system('posix')), /posix\.system/],
    ['hides it in the dictionary of tensors', pickle(dictionary('w', system('os'))), /os\.system/],
    ['evaluates code', pickle(reduce(global('builtins', 'eval'), text('1'))), /builtins\.eval/],
    ['imports by names on its stack', pickle(text('os'), text('system'), Buffer.of(0x93)), /os\.system/],
    ['asks for a name of JavaScript', pickle(global('constructor', 'constructor')), /constructor\.constructor/],
    ['makes an instance in the old way', pickle(Buffer.from('(ios\nsystem\n')), /opcode 0x69/],
    [
      'makes an instance in the new way',
      pickle(global('torch', 'FloatStorage'), Buffer.from(')'), Buffer.of(0x81)),
      /0x81/,
    ],
    ['calls a storage', pickle(reduce(global('torch', 'FloatStorage'), text('x'))), /no function/],
    ['calls a text', pickle(reduce(text('os.system'), text('x'))), /no function/],
    ['loads code of torch', pickle(global('torch.jit._pickle', 'build_intlist')), /build_intlist/],
    ['looks up an extension', pickle(Buffer.of(0x82, 1)), /opcode 0x82/],
    ['sets attributes of a list', pickle(Buffer.from(']}b')), /no dictionary/],
    ['recalls what it never made', pickle(Buffer.of(0x68, 7)), /memo/],
    ['reads beyond its bytes', pickle(dictionary('w', tensor(1, [2, 2], [2, 1]))), /does not fit/],
    ['strides beyond its bytes', pickle(dictionary('w', tensor(0, [2, 2], [200, 1]))), /does not fit/],
    ['makes up a storage', pickle(dictionary('w', tensor(0, [2], [1], Buffer.from('}')))), /malformed tensor/],
    [
      'names bytes that are not there',
      pickle(
        tuple(text('storage'), global('torch', 'FloatStorage'), text('9'), text('cpu'), byte(4)),
        Buffer.from('Q'),
      ),
      /not there/,
    ],
    ['ends early', sound.subarray(0, 60), /truncated/],
    ['is no pickle', Buffer.from('hello'), /pickle/],
    ['is empty', Buffer.alloc(0), /truncated/],
  ])('is refused where it %s', async (_, bytes, message) => {
    const path = torchFile(bytes);
    await expect(openTorch(path)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(message),
    });
    await expect(loadDictionary(path)).rejects.toMatchObject({ code: 'source_invalid' });
    expect(existsSync(marker)).toBe(false);
  });

  it('is refused with a typed error however it is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const bytes = Buffer.from(sound);
          for (const [at, value] of changes) bytes[at] = value;
          await openTorch(torchFile(bytes)).catch((error) =>
            expect(error.code, String(error)).toMatch(/^source_(invalid|unsupported)$/),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a file of torch that is refused by name', () => {
  it.each([
    [
      'of torch before 1.6',
      Buffer.from('8002 8a0a 6cfc 9c46 f920 6aa8 5019 2e'.replaceAll(' ', ''), 'hex'),
      /before 1\.6/,
    ],
    ['that is empty', Buffer.alloc(0), /before 1\.6/],
  ])('%s', async (_, bytes, message) => {
    const path = join(folder, `${count++}.pt`);
    writeFileSync(path, bytes);
    await expect(openTorch(path)).rejects.toMatchObject({
      code: 'source_unsupported',
      message: expect.stringMatching(message),
    });
  });

  it('of another kind: TorchScript, a list, big-endian', async () => {
    const path = join(folder, 'other.pt');
    const refused = async (message: RegExp) =>
      expect(openTorch(path)).rejects.toMatchObject({
        code: 'source_unsupported',
        message: expect.stringMatching(message),
      });
    writeZip(path, { 'a/code/x.py': Buffer.from('pass') });
    await refused(/TorchScript/);
    writeZip(path, { 'a/data.pkl': pickle(Buffer.from(']')) });
    await refused(/no dictionary of tensors/);
    writeZip(path, { 'a/data.pkl': sound, 'a/byteorder': Buffer.from('big'), 'a/data/0': Buffer.alloc(16) });
    await refused(/big-endian/);
    writeZip(path, { 'a/data.pkl': pickle(dictionary('w', tensor(0, [2], [1]))), 'a/data/0': Buffer.alloc(16) });
    await expect(loadDictionary(path)).rejects.toMatchObject({
      message: expect.stringMatching(/tensors w is not supported/),
    });
  });
});
