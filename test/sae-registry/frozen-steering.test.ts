import { describe, expect, it } from 'vitest';
import { type EditSpecification, modeNumber, type SteeringMode, steeringModes } from '../../engine/core/index.ts';
import { compileEdits } from '../../engine/index.ts';
import { freeze, frozenEditsSchema, frozenHash, thaw } from '../../sae-registry/frozen-steering.ts';
import { randomNumbers } from '../harness/tiny-model.ts';

const dModel = 6;
const options = { dModel, blocks: 3, maxEdits: 8 };
const next = randomNumbers(7);
const row = () => Float32Array.from({ length: dModel }, next);

function feature(): EditSpecification['target'] {
  const decoder = row();
  const encoder = { direction: decoder.map((value) => 2 * value), bias: next(), threshold: Math.abs(next()) };
  // the spelling of one place that is not canonical
  const hookPoint = 'blocks.2.hook_resid_pre';
  return {
    kind: 'feature',
    id: 'm/s/1',
    hookPoint,
    encoder,
    decoder,
    maxActivation: 3.3,
    sinkNorm: 70.7,
    streamNorm: 9.1,
  };
}

function vector(): EditSpecification['target'] {
  return { kind: 'vector', id: 'v:1', hookPoint: 'blocks.0.hook_resid_mid', direction: row(), streamNorm: 0.1 };
}

function specification(mode: SteeringMode, target: EditSpecification['target'], rest: object): EditSpecification {
  const number = modeNumber[mode] === null ? null : 1 / 3;
  const common = { unit: null, positions: 'generated', skipSpecial: false, onlyIfActive: false, param: 'p' } as const;
  return { target, mode, number, ...common, ...rest };
}

/** Through the compiler, frozen, written as JSON, read, thawed, and through the compiler again. */
function roundTrip(specifications: readonly EditSpecification[]) {
  const compiled = compileEdits(specifications, options);
  const frozen = freeze(
    compiled.map(({ edit, rawNumber }, at) => ({
      specification: specifications[at] as EditSpecification,
      rawNumber,
      hookPoint: edit.hookPoint,
      reads: edit.read !== null,
    })),
  );
  const edits = frozenEditsSchema.parse(JSON.parse(JSON.stringify(frozen.edits)));
  const again = { edits, rules: [], directions: frozen.directions.map((direction) => direction.slice()) };
  return { frozen, again, before: compiled, after: compileEdits(thaw(again, 'p'), options) };
}

describe('a frozen steering', () => {
  it.each(
    steeringModes.flatMap((mode) => [['a feature', mode, feature] as const, ['a vector', mode, vector] as const]),
  )('compiles to the very edit: %s, %s', (_what, mode, target) => {
    const { before, after, frozen, again } = roundTrip([specification(mode, target(), {})]);
    expect(after.map(({ edit }) => edit)).toEqual(before.map(({ edit }) => edit));
    expect(after[0]?.rawNumber).toBe(before[0]?.rawNumber);
    expect(frozenHash(again)).toBe(frozenHash(frozen));
  });

  it('keeps positions, skipped tokens, thresholds and the span of ablated vectors', () => {
    const ranged = { positions: { from: 1, to: 5 }, skipSpecial: true, onlyIfActive: true, unit: 'stream_norm' };
    const specifications = [
      specification('add', feature(), ranged),
      specification('ablate', vector(), {}),
      specification('ablate', vector(), {}),
    ];
    const { before, after } = roundTrip(specifications);
    expect(after.map(({ edit }) => edit)).toEqual(before.map(({ edit }) => edit));
    expect(after[0]?.edit.activeAbove).toBeGreaterThan(0);
  });

  it('keeps a feature that is always active, which JSON has no number for', () => {
    const target = feature();
    if (target.kind !== 'feature' || target.encoder === null) throw new Error('no feature');
    const encoder = { ...target.encoder, threshold: Number.NEGATIVE_INFINITY };
    const { before, after } = roundTrip([specification('set', { ...target, encoder, sinkNorm: null }, {})]);
    expect(after.map(({ edit }) => edit)).toEqual(before.map(({ edit }) => edit));
  });

  it('has another hash for whatever changes what it does', () => {
    const { frozen } = roundTrip([specification('set', feature(), {})]);
    const hash = frozenHash(frozen);
    const [edit] = frozen.edits;
    if (!edit) throw new Error('no edit');
    const others = [
      { ...frozen, edits: [{ ...edit, number: 0.5 }] },
      { ...frozen, edits: [{ ...edit, positions: 'all' as const }] },
      { ...frozen, edits: [edit, edit] },
      {
        ...frozen,
        directions: frozen.directions.map((direction) => direction.map((value, at) => (at === 5 ? -value : value))),
      },
    ];
    expect(new Set([hash, ...others.map(frozenHash)]).size).toBe(others.length + 1);
  });

  it('that names a direction it does not have is refused', () => {
    const { frozen } = roundTrip([specification('set', feature(), {})]);
    expect(() => thaw({ ...frozen, directions: [] }, 'p')).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });
});
