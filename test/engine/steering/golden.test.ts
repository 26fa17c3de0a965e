import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type EditSpecification, modeNumber, steeringModes } from '../../../engine/core/index.ts';
import { applyEdits, compileEdits } from '../../../engine/steering/index.ts';
import { openRegistry, type Registry } from '../../../sae-registry/index.ts';
import { base64Floats } from '../../sae-registry/base64-floats.ts';

const positions = z.union([z.enum(['last', 'all']), z.object({ from: z.number(), to: z.number() })]);
const wireEdit = z.object({
  mode: z.enum(steeringModes),
  feature: z.number().optional(),
  vector: z.string().optional(),
  hook_point: z.string().optional(),
  strength: z.number().optional(),
  value: z.number().optional(),
  factor: z.number().optional(),
  positions: positions.optional(),
});
const golden = z
  .object({ cases: z.array(z.object({ ids: z.array(z.number()), edits: z.array(wireEdit) })) })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/golden/steering.json'), 'utf8')));

const model = { id: 'smollm2-135m-instruct', dModel: 576, blocks: 30, hash: '' };
let registry: Registry;
beforeAll(async () => {
  registry = await openRegistry({ model, sources: ['smollm2-135m-instruct/17-res-4k'] });
});

function specificationOf(edit: z.infer<typeof wireEdit>, index: number): EditSpecification {
  const param = `steering.edits[${index}]`;
  const name = modeNumber[edit.mode];
  return {
    target:
      edit.feature === undefined
        ? registry.vectorTarget('inline', edit.hook_point ?? '', base64Floats(edit.vector ?? ''))
        : registry.target(`17-res-4k/${edit.feature}`, `${param}.feature`),
    mode: edit.mode,
    number: name === null ? null : (edit[name] ?? null),
    unit: 'raw',
    positions: edit.positions ?? 'all_but_first',
    skipSpecial: false,
    onlyIfActive: false,
    param,
  };
}

/** A stream of about the real norm, the same each time. */
const stream = Float32Array.from({ length: 576 }, (_, i) => 11 * Math.sin(i * i + 1));

describe('the golden steering cases', () => {
  it('are 44 and hold every mode', () => {
    expect(golden.cases).toHaveLength(44);
    expect(new Set(golden.cases.flatMap(({ edits }) => edits.map(({ mode }) => mode)))).toEqual(new Set(steeringModes));
  });

  it.each(golden.cases.map((each, index) => [index, each] as const))(
    'case %i compiles to what its script does',
    (_, { ids, edits }) => {
      const compiled = compileEdits(edits.map(specificationOf), {
        dModel: 576,
        blocks: 30,
        maxEdits: 16,
        promptLength: ids.length,
      });
      expect(compiled).toHaveLength(edits.length);
      edits.forEach((asked, index) => {
        const each = compiled[index];
        if (!each) throw new Error('nothing compiled');
        const name = modeNumber[asked.mode];
        expect(each.rawNumber).toBe(name === null ? null : asked[name]);
        const { stream: out } = applyEdits(stream, 1, 576, [{ edit: each.edit, mask: Float32Array.of(1) }]);
        const expected = steered(asked);
        const far = Math.max(...out.map((value, i) => Math.abs(value - (expected[i] as number))));
        expect(far).toBeLessThan(1e-3);
      });
    },
  );

  /** `steer_fn` of test/fixtures/golden/make_golden.py, line by line, on one token. */
  function steered(asked: z.infer<typeof wireEdit>): Float64Array {
    const number = asked.strength ?? asked.value ?? asked.factor ?? 0;
    const target = asked.feature === undefined ? null : registry.sources[0]?.dictionary.feature(asked.feature);
    let d = target?.decoder ?? base64Floats(asked.vector ?? '');
    const linear = !target || asked.mode === 'orthogonal';
    if (!target && asked.mode !== 'add') d = d.map((value) => value / Math.hypot(...d));
    const e = linear || !target ? d : target.encoder;
    const a = dot(stream, e) + (linear ? 0 : (target?.bias ?? 0));
    const f = linear || a > (target?.threshold ?? 0) ? a : 0;
    const u = {
      add: number,
      set: number - f,
      pin: (number - a) / dot(d, e),
      scale: (number - 1) * f,
      ablate: -f,
      floor: Math.max(number - f, 0),
      cap: Math.min(number - f, 0),
      orthogonal: (number - 1) * dot(stream, d),
    }[asked.mode];
    return Float64Array.from(stream, (value, i) => value + u * (d[i] as number));
  }
});

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}
