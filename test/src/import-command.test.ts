import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, registerSource } from '../../sae-registry/index.ts';
import { writeNeuronpediaExport } from '../harness/neuronpedia-export.ts';
import { sourceFacts } from '../sae-registry/store/source-facts.ts';
import { cli } from './cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-import-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = ['--source', 'tiny-model/res', '--data-dir', folder];

beforeAll(async () => {
  const store = await openStore(join(folder, 'tiller.db'));
  registerSource(store, sourceFacts());
  store.close();
});

describe('tiller import neuronpedia', () => {
  it('draws its progress, says what it read, and reads nothing twice', async () => {
    const path = writeNeuronpediaExport(join(folder, 'export'), { features: 10, passages: 2 });
    const run = await cli(['import', 'neuronpedia', path, ...place]);
    expect(run).toMatchObject({
      code: 0,
      stdout: '6 files read: statistics of 10 features, 10 labels, 20 examples.\n',
    });
    for (const kind of ['features', 'explanations', 'activations']) expect(run.stderr).toContain(`Reading ${kind}`);
    const again = await cli(['import', 'neuronpedia', path, ...place, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ files: 0, skipped: 6, labels: 0 });
  });

  it.each([
    [[folder], 2, /--source model\/name/],
    [[folder, '--source', 'a/b', '--data-dir', folder], 1, /knows no source 'a\/b'/],
    [[folder, ...place, '--from', 'nothing'], 2, /--from.*modelId\/layer/],
    [[folder, ...place], 1, /no files of a Neuronpedia export/],
    [[], 2, /missing required argument/],
  ])('refuses %j', async (flags, code, message) => {
    const run = await cli(['import', 'neuronpedia', ...flags]);
    expect([run.code, run.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
