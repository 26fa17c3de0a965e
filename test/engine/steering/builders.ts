import type { ArrayReading, Edit, EditSpecification, EditTarget } from '../../../engine/core/index.ts';
import { applyEdits, type CompiledEdit, compileEdits } from '../../../engine/steering/index.ts';

export const dModel = 4;
const hookPoints: ReadonlyMap<string, readonly number[]> = new Map([
  ['blocks.1.attn.hook_rot_q', [2, 3]],
  ['blocks.1.attn.hook_z', [2, 3]],
]);
export const options = { dModel, blocks: 3, maxEdits: 8, hookPoints };

type Feature = Extract<EditTarget, { kind: 'feature' }>;
type Vector = Extract<EditTarget, { kind: 'vector' }>;

/** e = (1, 2, 0, −1), c = −1, θ = 2, d = (0.6, 0.8, 0, 0): e·d = 2.2. */
export function feature(changes: Partial<Feature> = {}): Feature {
  return {
    kind: 'feature',
    id: 'm/s/1',
    hookPoint: 'blocks.1.hook_resid_post',
    encoder: { direction: Float32Array.of(1, 2, 0, -1), bias: -1, threshold: 2 },
    decoder: Float32Array.of(0.6, 0.8, 0, 0),
    maxActivation: 10,
    sinkNorm: 100,
    streamNorm: 6,
    ...changes,
  };
}

/** (0, 0, 3, 4): unit (0, 0, 0.6, 0.8). */
export function vector(changes: Partial<Vector> = {}): Vector {
  const direction = Float32Array.of(0, 0, 3, 4);
  return { kind: 'vector', id: 'v', hookPoint: 'blocks.1.hook_resid_post', direction, streamNorm: 6, ...changes };
}

export function specification(
  target: EditTarget,
  mode: EditSpecification['mode'],
  number: number | null,
  changes: Partial<EditSpecification> = {},
): EditSpecification {
  return {
    target,
    mode,
    number,
    unit: mode === 'ablate' || mode === 'scale' || mode === 'orthogonal' ? null : 'raw',
    positions: 'all',
    skipSpecial: false,
    onlyIfActive: false,
    param: 'steering.edits[0]',
    ...changes,
  };
}

/** The specifications, with params in their order, compiled. */
export function compile(...specifications: EditSpecification[]): readonly CompiledEdit[] {
  return compileEdits(
    specifications.map((each, index) => ({ ...each, param: `steering.edits[${index}]` })),
    options,
  );
}

/** One token through edits that all touch it. */
export function applyToToken(
  x: readonly number[],
  edits: readonly Edit[],
): { after: number[]; readings: ArrayReading[] } {
  const masked = edits.map((edit) => ({ edit, mask: Float32Array.of(1) }));
  const { stream, readings } = applyEdits(Float32Array.from(x), 1, x.length, masked);
  return { after: [...stream], readings };
}

export function steer(x: readonly number[], ...specifications: EditSpecification[]): number[] {
  return applyToToken(
    x,
    compile(...specifications).map(({ edit }) => edit),
  ).after;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  const far = Array.from(expected).findIndex((value, i) => !(Math.abs(value - (actual[i] as number)) <= tolerance));
  if (actual.length !== expected.length || far >= 0) {
    throw new Error(`[${Array.from(actual)}] is not [${Array.from(expected)}] within ${tolerance}`);
  }
}
