import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../../../bench/checkout.ts';
import { checkQuality } from '../../../bench/quality/gates.ts';
import { type QualityResults, qualityResults } from '../../../bench/quality/results.ts';
import { qualityTables } from '../../../bench/quality/tables.ts';
import { readText, textName } from '../../../bench/quality/text.ts';
import { replaceTables } from '../../../bench/replace-tables.ts';
import { qualityFixture } from './fixture-quality.ts';

const committed = qualityResults.parse(
  JSON.parse(readFileSync(join(checkout, 'bench', 'results', 'quality.json'), 'utf8')),
);
const failed = (results: QualityResults) => checkQuality(results).filter(({ passed }) => !passed);

/** The fixture with some figures of its int8 replaced. */
function withInt8(change: Partial<QualityResults['precisions'][number]>): QualityResults {
  const precisions = qualityFixture.precisions.map((entry) =>
    entry.precision === 'int8' ? { ...entry, ...change } : entry,
  );
  return { ...qualityFixture, precisions };
}

describe('tables of quality', () => {
  const tables = qualityTables(qualityFixture);

  it('are made from results that the schema accepts', () => {
    expect(qualityResults.parse(qualityFixture)).toEqual(qualityFixture);
    expect(() => qualityResults.parse({ ...qualityFixture, precisions: [] })).toThrow();
  });

  it('hold one column a precision', () => {
    const predictions = tables.get('quality-predictions');
    expect(predictions).toContain('|  | f32 | int8 |');
    expect(predictions).toContain('| perplexity (against f32) | 20.000 (+0.00 %) | 20.600 (+3.00 %) |');
    expect(predictions).toContain('| KL from f32, mean, nats per token | 0 | 0.020 |');
    expect(predictions).toContain('| one token a step: KL from f32, mean | 1.0e-11 | 0.030 |');
    expect(predictions).toContain('2,046 predictions of `bench/texts/a-book.txt` in 2 windows of 1,024 tokens');
    const features = tables.get('quality-features');
    expect(features).toContain('| fire in both, of those in either (Jaccard) | 100.0 % | 90.00 % |');
    expect(features).toContain('| error of an activation, median | 0.0 % | 3.45 % |');
    expect(features).toContain('| cosine to the stream of f32, least | 1.00000 | 0.97000 |');
    expect(features).toContain('4,096 features at `blocks.0.hook_resid_post`');
  });
});

describe('gates of quality', () => {
  const [, int8] = qualityFixture.precisions;

  it('let a precision pass that is only rounded', () => {
    expect(failed(qualityFixture)).toEqual([]);
  });

  it.each([
    ['perplexity', { prompt: { ...int8.prompt, perplexity: 22 } }],
    ['KL from f32', { prompt: { ...int8.prompt, divergence: { mean: 0.1, p99: 0.5, max: 1 } } }],
    ['likeliest token', { prompt: { ...int8.prompt, topAgreement: 0.7 } }],
    ['features', { features: { ...int8.features, jaccard: 0.6 } }],
    ['one token a step', { ownPath: { ...int8.ownPath, divergence: { mean: 0.1, p99: 0.5, max: 1 } } }],
  ])('fail where its %s is out of bounds', (name, change) => {
    expect(failed(withInt8(change)).map((gate) => gate.name)).toEqual([expect.stringContaining(name)]);
  });

  it('allow f32 no difference between one token a step and many', () => {
    const [f32] = qualityFixture.precisions;
    const ownPath = { ...f32.ownPath, divergence: { mean: 1e-4, p99: 1e-4, max: 1e-4 } };
    expect(failed({ ...qualityFixture, precisions: [{ ...f32, ownPath }] })).toHaveLength(1);
  });

  it('fail where f32 is missing to compare with', () => {
    expect(failed({ ...qualityFixture, precisions: [int8] }).map(({ value }) => value)).toEqual([null]);
  });
});

describe('docs/precisions.md', () => {
  it('shows the figures of bench/results/quality.json (npm run bench:report writes them)', () => {
    const text = readFileSync(join(checkout, 'docs', 'precisions.md'), 'utf8');
    expect(text).toBe(replaceTables(text, qualityTables(committed)));
  });

  it('shows figures of the text that is in the repository, of all precisions and of 20,000 tokens', () => {
    expect(committed.settings).toMatchObject({ text: textName, textSha256: readText().sha256 });
    expect(committed.precisions.map(({ precision }) => precision)).toEqual(['f32', 'int8', 'blocks']);
    for (const { prompt } of committed.precisions) expect(prompt.tokens).toBeGreaterThanOrEqual(20_000);
  });
});
