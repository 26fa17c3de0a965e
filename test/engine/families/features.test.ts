import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { linearGroups } from '../../../engine/checkpoint/index.ts';
import { modelFamilies } from '../../../engine/core/index.ts';
import { compileDecoder } from '../../../engine/graph/index.ts';
import { tinyConfig } from '../../harness/tiny-model.ts';

const folder = resolve(import.meta.dirname, '../../../engine/graph');
const closed = { edits: new Set<string>(), taps: new Set<string>() };

it('builds the same graph whatever the family is called', () => {
  const graphs = modelFamilies.map((family) => compileDecoder({ ...tinyConfig, family }, 64, closed));
  for (const graph of graphs) {
    expect(graph.operators).toEqual(graphs[0]?.operators);
    expect(graph.weights).toEqual(graphs[0]?.weights);
  }
  expect(linearGroups({ ...tinyConfig, family: 'gpt2' })).toEqual(linearGroups(tinyConfig));
});

it('names no family where graphs are built', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const source = readFileSync(join(folder, file), 'utf8');
    for (const family of modelFamilies) expect(source.includes(`'${family}'`), `${file} names ${family}`).toBe(false);
    // compile.ts writes it into the model as a word for people.
    const uses = source.match(/\.family\b/g) ?? [];
    expect(uses.length, file).toBe(file === 'compile.ts' ? 1 : 0);
  }
});
