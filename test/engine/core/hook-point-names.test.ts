import { describe, expect, it } from 'vitest';
import {
  hookPointAliases,
  hookPointShapes,
  hookPointWidth,
  plainFeatures,
  resolveHookPoint,
} from '../../../engine/core/index.ts';
import { compileEdits } from '../../../engine/steering/index.ts';
import { tinyConfig } from '../../harness/tiny-model.ts';
import { options, specification, vector } from '../steering/builders.ts';

const config = { ...tinyConfig, ...plainFeatures({ blocks: 3, headDim: 16 }, 10_000), blocks: 3 };
const places = { blocks: 3, hookPoints: hookPointShapes(config) };
const gemma = { blocks: 3, hookPoints: hookPointShapes({ ...config, outputNorms: true }) };
const neox = { blocks: 3, parallelResidual: true, hookPoints: hookPointShapes({ ...config, parallelResidual: true }) };

describe('names of hook points', () => {
  it.each([
    ['blocks.1.hook_resid_pre', 'blocks.0.hook_resid_post'],
    ['blocks.0.hook_resid_pre', 'blocks.0.hook_resid_pre'],
    ['blocks.2.attn.hook_z', 'blocks.2.attn.hook_z'],
    ['blocks.2.attn.hook_pattern', 'blocks.2.attn.hook_pattern'],
    ['ln_final.hook_normalized', 'ln_final.hook_normalized'],
    ['model.layers.2', 'blocks.2.hook_resid_post'],
    ['layers.0.mlp', 'blocks.0.mlp.hook_out'],
    ['transformer.h.1.mlp', 'blocks.1.mlp.hook_out'],
    ['gpt_neox.layers.1.attention', 'blocks.1.hook_attn_out'],
    ['h.1', 'blocks.1.hook_resid_post'],
    ['model.layers.1.self_attn', 'blocks.1.hook_attn_out'],
  ])('%s is %s', (name, canonical) => {
    expect(resolveHookPoint(name, places)).toBe(canonical);
  });

  it.each([
    ['blocks.3.hook_resid_post', places],
    ['model.layers.3', places],
    ['model.layers.1.self_attn.q_proj', places],
    ['model.layers.0.self_attn', gemma],
    ['blocks.0.hook_resid_mid', neox],
    ['blocks.0.attn.hook_patterns', places],
    ['blocks.0.mlp.hook_pots', places],
  ])('there is no %s', (name, where) => {
    expect(() => resolveHookPoint(name, where, 'field')).toThrow(
      expect.objectContaining({ code: 'hook_point_not_found', param: 'field' }),
    );
  });

  it('near ones are suggested among all', () => {
    const suggestions = expect.arrayContaining(['blocks.0.mlp.hook_post']);
    expect(() => resolveHookPoint('blocks.0.mlp.hook_pots', places)).toThrow(expect.objectContaining({ suggestions }));
  });

  it('every alias that is listed is taken', () => {
    expect(hookPointAliases('blocks.1.hook_resid_post', places)).toEqual([
      'blocks.2.hook_resid_pre',
      'model.layers.1',
      'layers.1',
    ]);
    expect(hookPointAliases('blocks.2.hook_resid_post', places)).toEqual(['model.layers.2', 'layers.2']);
    expect(hookPointAliases('blocks.0.hook_attn_out', places)).toEqual([
      'model.layers.0.self_attn',
      'layers.0.self_attn',
    ]);
    expect(hookPointAliases('blocks.0.hook_attn_out', gemma)).toEqual([]);
    for (const where of [places, gemma, neox]) {
      for (const name of where.hookPoints.keys()) {
        for (const alias of hookPointAliases(name, where)) expect(resolveHookPoint(alias, where)).toBe(name);
      }
    }
  });

  it('widths are those of all heads together', () => {
    expect(hookPointWidth(places.hookPoints, 'blocks.0.attn.hook_z')).toBe(4 * 16);
    expect(hookPointWidth(places.hookPoints, 'blocks.0.attn.hook_k')).toBe(2 * 16);
    expect(hookPointWidth(places.hookPoints, 'blocks.0.ln1.hook_scale')).toBe(1);
    expect(hookPointWidth(places.hookPoints, 'blocks.9.ln1.hook_scale')).toBeUndefined();
    expect(places.hookPoints.get('blocks.0.attn.hook_pattern')).toEqual([4, 'keys']);
    expect(hookPointWidth(places.hookPoints, 'blocks.0.attn.hook_pattern')).toBeUndefined();
  });

  it('a direction is as wide as its hook point', () => {
    const at = (length: number) =>
      compileEdits(
        [
          specification(
            vector({ hookPoint: 'blocks.1.attn.hook_z', direction: new Float32Array(length).fill(1) }),
            'add',
            1,
            { unit: 'raw' },
          ),
        ],
        options,
      );
    expect(at(6)[0]?.edit).toMatchObject({ hookPoint: 'blocks.1.attn.hook_z', write: new Float32Array(6).fill(1) });
    expect(() => at(4)).toThrow(/4 floats, but blocks.1.attn.hook_z of this model is 6 wide/);
  });
});
