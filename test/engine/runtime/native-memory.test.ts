import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NativeMemory } from '../../../engine/runtime/native-memory.ts';
import { temporaryFolder } from '../checkpoint/fixtures.ts';

describe('a mapped file', () => {
  it('may be larger than a buffer can be: the weights of a model of 2.6 billion in 16 bits are', async () => {
    const path = join(await temporaryFolder(), 'large.bin');
    const file = await open(path, 'w');
    await file.truncate(6e9); // takes no disk
    await file.close();
    const memory = NativeMemory.file(path);
    expect(memory.byteLength).toBe(6e9);
    expect(memory.address > 0n).toBe(true);
    memory.free();
  });

  it('shows its bytes', async () => {
    const path = join(await temporaryFolder(), 'small.bin');
    const file = await open(path, 'w');
    await file.write(Buffer.from('weights'));
    await file.close();
    const memory = NativeMemory.file(path);
    expect(Buffer.from(memory.bytes).toString()).toBe('weights');
    expect(memory.bytes).toBe(memory.bytes);
    memory.free();
  });
});
