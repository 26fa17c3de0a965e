import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { TillerError } from '../../../engine/core/index.ts';

export const tinyLlama = resolve(import.meta.dirname, '../../fixtures/tiny-llama');

/** An empty folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tiller-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files (text, bytes, or a value as JSON) into a new folder. */
export async function folderWith(files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    const raw = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(join(folder, name), raw ? content : JSON.stringify(content));
  }
  return folder;
}

/** A safetensors file from its header as JSON text (or a value) and the number of data bytes. */
export function safetensorsBytes(header: unknown, dataBytes: number, claimedLength?: bigint): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimedLength ?? BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

/** The TillerError that a promise rejects with; fails when it does not, or with anything else. */
export async function refusal(promise: Promise<unknown>): Promise<TillerError> {
  const error = await promise.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (error instanceof TillerError) return error;
  throw error;
}
