import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Embedder } from '../../sae-registry/embedder/embedder.ts';
import { acquireEmbedder } from '../../sae-registry/embedder/embedder-files.ts';
import { toEightBits } from '../../sae-registry/embedder/embedding.ts';
import { testCache } from '../harness/default-model.ts';

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly embedding: string;
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/golden/minilm.json'), 'utf8')) as {
  readonly cases: readonly Case[];
};

function halfToFloat(half: number): number {
  const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function reference({ embedding }: Case): number[] {
  const bytes = Buffer.from(embedding, 'base64');
  return Array.from({ length: bytes.length / 2 }, (_, at) => halfToFloat(bytes.readUInt16LE(at * 2)));
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, at) => sum + value * (b[at] as number), 0);

describe('the label embedder', () => {
  let embedder: Embedder;

  beforeAll(async () => {
    embedder = await Embedder.open(await acquireEmbedder({ cacheDirectory: testCache }));
  });

  it.each(golden.cases)('takes %j apart like the tokenizers library', ({ text, ids }) => {
    expect(embedder.tokenIds(text)).toEqual(ids);
  });

  it('is near the float model, text by text', async () => {
    const vectors = await embedder.embed(golden.cases.map(({ text }) => text));
    const cosines = golden.cases.map((its, at) => dot(vectors[at] as Float32Array, reference(its)));
    for (const vector of vectors) expect(dot(vector, vector)).toBeCloseTo(1, 4);
    for (const [at, cosine] of cosines.entries()) expect(cosine, golden.cases[at]?.text).toBeGreaterThan(0.98);
  });

  it('gives a text the same direction whatever shares its batch', async () => {
    const [alone] = await embedder.embed(['cats']);
    const [together] = await embedder.embed(['cats', 'a much longer text about something else entirely']);
    expect(dot(alone as Float32Array, together as Float32Array)).toBeGreaterThan(0.99);
    const eight = toEightBits(alone as Float32Array);
    expect(dot(alone as Float32Array, eight) / 127).toBeGreaterThan(0.999);
  });

  it('cuts what is longer than it reads', () => {
    const ids = embedder.tokenIds('word '.repeat(1000));
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([256, 101, 102]);
  });
});
