import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { TillerError } from '../../../engine/core/index.ts';
import { familyFolders, familyPath } from '../../harness/families.ts';
import { temporaryFolder, tinyLlama } from './fixtures.ts';
import { mutatedBytes, mutatedJson } from './mutations.ts';

/** 10,000 files in all. */
const runs = { safetensors: 3_000, gguf: 3_500, config: 3_500 } as const;
/** What opening and reading takes whatever the file: JSON and schemas, pieces, the table of half floats. */
const machineryBytes = 2 ** 20;

const ggufFolder = resolve(import.meta.dirname, '../../fixtures/families-gguf');

interface Outcome {
  opened: number;
  refused: number;
}

/** Opens a checkpoint and reads every weight: it works, or it is refused, soon and without taking more than thrice the file's memory. */
async function openAndRead(path: string, bytes: number, outcome: Outcome): Promise<void> {
  const before = process.memoryUsage();
  const cpu = process.cpuUsage();
  try {
    const checkpoint = await openCheckpoint(path);
    try {
      for (const { name } of checkpoint.tensors.values()) {
        let next = 0;
        for await (const { start: first, values } of checkpoint.readPieces(name)) {
          expect(first).toBe(next);
          next = first + values.length;
        }
      }
    } finally {
      await checkpoint.close();
    }
    outcome.opened++;
  } catch (error) {
    if (!(error instanceof TillerError)) throw error;
    expect(['checkpoint_invalid', 'checkpoint_unsupported']).toContain(error.code);
    expect(error.message.length, error.message.slice(0, 300)).toBeLessThan(10_000);
    outcome.refused++;
  }
  const after = process.memoryUsage();
  // Of the processor's time: a machine that does something else is no hang.
  const { user, system } = process.cpuUsage(cpu);
  expect((user + system) / 1000).toBeLessThan(2_000);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(3 * bytes + machineryBytes);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(3 * bytes + 32 * machineryBytes);
}

describe('a mutated checkpoint opens or is refused: never a crash, a hang, or memory without bounds', () => {
  it(`${runs.safetensors} safetensors files`, { timeout: 300_000 }, async () => {
    const folder = await temporaryFolder();
    cpSync(familyPath('gemma2'), folder, { recursive: true });
    const path = join(folder, 'model.safetensors');
    const original = readFileSync(path);
    const headerEnd = 8 + Number(original.readBigUInt64LE(0));
    const data = original.subarray(headerEnd);
    const header: unknown = JSON.parse(original.toString('utf8', 8, headerEnd));
    const withHeader = (text: string) => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
      return Buffer.concat([length, Buffer.from(text), data]);
    };
    const files = fc.oneof(mutatedBytes(original, headerEnd), mutatedJson(header).map(withHeader));
    const outcome: Outcome = { opened: 0, refused: 0 };
    const property = fc.asyncProperty(files, async (bytes) => {
      writeFileSync(path, bytes);
      await openAndRead(folder, bytes.length, outcome);
    });
    await fc.assert(property, { numRuns: runs.safetensors });
    expect(outcome.refused).toBeGreaterThan(runs.safetensors / 2);
    expect(outcome.opened).toBeGreaterThan(10);
  });

  it(`${runs.gguf} GGUF files`, { timeout: 300_000 }, async () => {
    const path = join(await temporaryFolder(), 'x.gguf');
    const originals = [
      { bytes: readFileSync(join(tinyLlama, 'gguf/tiny-llama.gguf')), header: 20_000 },
      ...['llama3', 'gpt_neox', 'gemma3'].map((name) => {
        return { bytes: readFileSync(join(ggufFolder, `${name}.gguf`)), header: 3_000 };
      }),
    ];
    const files = fc.oneof(
      ...originals.flatMap(({ bytes, header }) => [mutatedBytes(bytes, header), mutatedBytes(bytes, 900)]),
    );
    const outcome: Outcome = { opened: 0, refused: 0 };
    const property = fc.asyncProperty(files, async (bytes) => {
      writeFileSync(path, bytes);
      await openAndRead(path, bytes.length, outcome);
    });
    await fc.assert(property, { numRuns: runs.gguf });
    expect(outcome.refused).toBeGreaterThan(runs.gguf / 2);
    expect(outcome.opened).toBeGreaterThan(10);
  });

  it(`${runs.config} configurations of all families`, { timeout: 300_000 }, async () => {
    const root = await temporaryFolder();
    const jsonFiles = ['config.json', 'config.json', 'config.json', 'generation_config.json', 'tokenizer_config.json'];
    const cases = familyFolders.flatMap((name) => {
      const folder = join(root, name);
      cpSync(familyPath(name), folder, { recursive: true });
      return jsonFiles.map((file) => {
        const original = readFileSync(join(folder, file));
        const text = fc.oneof(
          { weight: 4, arbitrary: mutatedJson(JSON.parse(original.toString('utf8'))).map((json) => Buffer.from(json)) },
          { weight: 1, arbitrary: mutatedBytes(original, original.length) },
        );
        return text.map((bytes) => ({ folder, file, bytes, original }));
      });
    });
    const outcome: Outcome = { opened: 0, refused: 0 };
    const property = fc.asyncProperty(fc.oneof(...cases), async ({ folder, file, bytes, original }) => {
      const path = join(folder, file);
      writeFileSync(path, bytes);
      try {
        await openAndRead(folder, bytes.length + readFileSync(join(folder, 'model.safetensors')).length, outcome);
      } finally {
        writeFileSync(path, original);
      }
    });
    await fc.assert(property, { numRuns: runs.config });
    expect(outcome.refused).toBeGreaterThan(runs.config / 5);
    expect(outcome.opened).toBeGreaterThan(runs.config / 20);
  });
});
