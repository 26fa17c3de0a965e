import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, registerSource } from '../../../sae-registry/index.ts';
import { sourceFacts } from '../../sae-registry/store/source-facts.ts';
import { cli } from '../cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-labels-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = ['--source', 'tiny-model/res', '--data-dir', folder];
const file = join(folder, 'labels.jsonl');

beforeAll(async () => {
  const store = await openStore(join(folder, 'tiller.db'));
  registerSource(store, sourceFacts());
  store.close();
});

describe('tiller labels', () => {
  it('imports a file, tells its bad lines, and exports what it imported', async () => {
    writeFileSync(file, '{"index":1,"label":"cats"}\nnonsense\n{"index":2,"label":"dogs","method":"llm"}\n');
    const run = await cli(['labels', 'import', file, ...place, '--author', 'me']);
    expect(run).toEqual({
      code: 0,
      stdout: '2 labels added, 0 brought up to date, 0 there already; 1 lines left out.\n',
      stderr: `${file}, line 2 is not JSON.\n`,
    });
    const lines =
      '{"index":1,"label":"cats","method":"import","author":"me"}\n{"index":2,"label":"dogs","method":"llm","author":"me"}\n';
    expect(await cli(['labels', 'export', ...place])).toEqual({ code: 0, stdout: lines, stderr: '' });
    const out = join(folder, 'out.jsonl');
    expect((await cli(['labels', 'export', ...place, '--out', out])).code).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe(lines);
    expect(readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual([]);
    const again = await cli(['labels', 'import', out, ...place, '--json']);
    expect(JSON.parse(again.stdout)).toEqual({ added: 0, updated: 0, unchanged: 2, bad: [], badLines: 0 });
  });

  it.each([
    [['import', file, '--data-dir', folder], 2, /--source model\/name/],
    [['import', join(folder, 'none.jsonl'), ...place], 1, /There is no file/],
    [['import', file, '--source', 'tiny-model/ers', '--data-dir', folder], 1, /knows no source.*tiny-model\/res/],
    [['export', '--source', 'res', '--data-dir', folder], 1, /knows no source 'res'/],
    [['import', file, ...place, '--author', 'x'.repeat(201)], 2, /--author/],
    [['import', join(folder, 'tiller.db'), ...place], 1, /No line of .* is a label/],
  ])('refuses %j', async (flags, code, message) => {
    const run = await cli(['labels', ...flags]);
    expect([run.code, run.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
