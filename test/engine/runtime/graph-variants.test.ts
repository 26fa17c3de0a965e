import { describe, expect, it } from 'vitest';
import { type CompiledGraph, compileDecoder } from '../../../engine/graph/index.ts';
import { editParameterNames } from '../../../engine/steering/index.ts';
import { tinyConfig } from '../../harness/tiny-model.ts';

const count = (graph: CompiledGraph, prefix: string) =>
  graph.operators.filter(({ name }) => name.startsWith(prefix)).length;

describe.each(['tiller', 'onnxruntime'] as const)('graph variants of the operators of %s', (operators) => {
  const compile = (edits: string[], taps: string[] = []) => {
    const sites = { edits: new Set(edits), taps: new Set(taps) };
    return compileDecoder(tinyConfig, 48, sites, undefined, { operators, keyValueType: 'float32' });
  };

  it('have no steering and no taps in them when a batch has none', () => {
    const graph = compile([]);
    expect(graph.operators.some(({ name }) => name.includes('edit'))).toBe(false);
    const ports = [...graph.inputs, ...graph.outputs].map(({ name }) => name);
    expect(ports.filter((name) => name.startsWith('edit.') || name.startsWith('tap.'))).toEqual([]);
    const operators = new Set(graph.operators.map(({ operator }) => operator));
    for (const operator of ['Edit', 'Where', 'Greater', 'Max', 'Min', 'ReduceL2', 'Split', 'Identity']) {
      expect(operators.has(operator)).toBe(false);
    }
  });

  it('open exactly the hook points they name', () => {
    const graph = compile(['blocks.0.hook_resid_mid'], ['blocks.1.hook_resid_post']);
    const here = count(graph, 'edit.blocks.0.hook_resid_mid');
    expect(here).toBeGreaterThan(0);
    expect(count(graph, 'edit.')).toBe(here);
    // beside them the tap, and what adds up the stream to be edited; Tiller's own is one node that does that too
    if (operators === 'tiller') expect(here).toBe(1);
    expect(graph.operators.length - here).toBe(compile([]).operators.length + (operators === 'tiller' ? 1 : 2));
    expect(graph.outputs.map(({ name }) => name)).toContain('tap.blocks.1.hook_resid_post');
    expect(
      graph.inputs.filter(({ name }) => name.startsWith('edit.')).map(({ name }) => name.split('.').at(-1)),
    ).toEqual(['read', 'write', ...editParameterNames, 'mask']);
  });

  it('compare queries with keys by nodes of their own only where the result is given out', () => {
    const graph = compile([], ['blocks.1.attn.hook_pattern']);
    const without = compile([], ['blocks.1.hook_resid_post']);
    const named = (each: CompiledGraph) => each.operators.map(({ name }) => name);
    const added = named(graph).filter((name) => !named(without).includes(name));
    expect(added.filter((name) => !/^blocks\.1\.attn\.|^visible_keys|^positions/.test(name))).toEqual([]);
    expect(graph.operators.some(({ operator }) => operator === 'Where')).toBe(true);
    expect(graph.outputs.find(({ name }) => name === 'tap.blocks.1.attn.hook_pattern')?.dimensions).toEqual([
      'B',
      tinyConfig.heads,
      'S',
      'K',
    ]);
    expect(graph.inputs.map(({ name }) => name)).toContain('key_count');
    for (const other of [without, compile([]), compile([], ['blocks.1.attn.hook_rot_q'])]) {
      expect(other.inputs.map(({ name }) => name)).not.toContain('key_count');
      expect(named(other).filter((name) => /attn_scores|pattern|visible/.test(name))).toEqual([]);
    }
  });

  it('cost the same number of operators at every edited hook point', () => {
    const one = compile(['blocks.0.hook_resid_post']).operators.length;
    const two = compile(['blocks.0.hook_resid_post', 'blocks.1.hook_resid_mid']).operators.length;
    expect(two - one).toBe(one - compile([]).operators.length);
  });
});
