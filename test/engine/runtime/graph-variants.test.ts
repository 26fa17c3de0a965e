import { describe, expect, it } from 'vitest';
import { compileDecoder } from '../../../engine/graph/index.ts';
import { editParameterNames } from '../../../engine/steering/index.ts';
import { tinyConfig } from '../../harness/tiny-model.ts';

const compile = (edits: string[], taps: string[] = []) =>
  compileDecoder(tinyConfig, 48, { edits: new Set(edits), taps: new Set(taps) });
const count = (graph: ReturnType<typeof compile>, prefix: string) =>
  graph.operators.filter(({ name }) => name.startsWith(prefix)).length;

describe('graph variants', () => {
  it('have no steering and no taps in them when a batch has none', () => {
    const graph = compile([]);
    expect(graph.operators.some(({ name }) => name.includes('edit'))).toBe(false);
    const ports = [...graph.inputs, ...graph.outputs].map(({ name }) => name);
    expect(ports.filter((name) => name.startsWith('edit.') || name.startsWith('tap.'))).toEqual([]);
    const operators = new Set(graph.operators.map(({ operator }) => operator));
    for (const operator of ['Where', 'Greater', 'Max', 'Min', 'ReduceL2', 'Split', 'Identity']) {
      expect(operators.has(operator)).toBe(false);
    }
  });

  it('open exactly the hook points they name', () => {
    const graph = compile(['blocks.0.hook_resid_mid'], ['blocks.1.hook_resid_post']);
    expect(count(graph, 'edit.blocks.0.hook_resid_mid/')).toBeGreaterThan(0);
    expect(graph.operators.length - count(graph, 'edit.')).toBe(compile([]).operators.length + 2);
    expect(graph.outputs.map(({ name }) => name)).toContain('tap.blocks.1.hook_resid_post');
    expect(
      graph.inputs.filter(({ name }) => name.startsWith('edit.')).map(({ name }) => name.split('.').at(-1)),
    ).toEqual(['read', 'write', ...editParameterNames, 'mask']);
  });

  it('cost the same number of operators at every edited hook point', () => {
    const one = compile(['blocks.0.hook_resid_post']).operators.length;
    const two = compile(['blocks.0.hook_resid_post', 'blocks.1.hook_resid_mid']).operators.length;
    expect(two - one).toBe(one - compile([]).operators.length);
  });
});
