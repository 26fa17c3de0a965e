import {
  type Checkpoint,
  commonTileForm,
  hasBlocks,
  prepareBlockWeights,
  prepareInt8Tiles,
  prepareInt8Weights,
  prepareTileWeights,
  type StoredLinears,
} from './checkpoint/index.ts';
import { type Precision, type PrecisionChoice, type ProgressListener, TillerError } from './core/index.ts';
import { checkInt8, type ExecutorOptions, hasFastIntegerProducts, type Int8Check } from './runtime/index.ts';

/** int8 is chosen by itself only where it is so many times faster than float32. */
const worthwhileSpeedUp = 1.3;

/**
 * The rule of `auto`: int8 where it is exact in its sums and worthwhile; else f32 where Tiller's own operator reads the checkpoint's
 * weights as they are; else the checkpoint's own blocks; else f32.
 */
export function choosePrecision(
  { exact, speedUp }: Int8Check,
  checkpoint: { readonly asItIs: boolean; readonly hasBlocks: boolean },
): Precision {
  if (exact && speedUp >= worthwhileSpeedUp) return 'int8';
  return checkpoint.hasBlocks && !checkpoint.asItIs ? 'blocks' : 'f32';
}

/**
 * The precision to load with. Throws `runtime_unavailable` for `int8` where the processor's 8-bit sums saturate: the replies would be
 * wrong without any sign of it.
 *
 * @param kernels the library of Tiller's own operators; null without
 */
export async function resolvePrecision(
  choice: PrecisionChoice,
  checkpoint: Checkpoint,
  threads: number,
  kernels: string | null,
): Promise<Precision> {
  if (choice !== 'int8' && choice !== 'auto') return choice;
  const form = commonTileForm(checkpoint);
  const check = await checkInt8(threads, { kernels, form });
  if (choice === 'auto') {
    const asItIs = kernels !== null && form !== null;
    return choosePrecision(check, { asItIs, hasBlocks: hasBlocks(checkpoint) });
  }
  if (check.exact) return choice;
  const message =
    "This processor's 8-bit products saturate, so int8 would compute wrong sums. Use f32, blocks or auto.";
  throw new TillerError('runtime_unavailable', message, { param: 'precision' });
}

type Linears = Pick<ExecutorOptions, 'linears' | 'oneTokenLinears'>;

/**
 * Prepares the weights of linear layers for a precision. In float32 arithmetic Tiller's own operator reads them as the checkpoint holds
 * them; without it only steps of one token do. Throws `checkpoint_unsupported` for `blocks` without any, `disk_full`.
 *
 * @param kernels the library of Tiller's own operators; null without
 */
export async function prepareLinears(
  precision: Precision,
  checkpoint: Checkpoint,
  kernels: string | null,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<Linears> {
  if (precision === 'blocks' && !hasBlocks(checkpoint)) {
    const message = `${checkpoint.path} holds no Q4_0, Q4_1 or Q8_0 blocks that precision 'blocks' could execute. Use int8 or f32.`;
    throw new TillerError('checkpoint_unsupported', message, { param: 'precision' });
  }
  if (precision !== 'int8' && kernels !== null) {
    return { linears: { stored: await prepareTileWeights(checkpoint, options), blockInput: 'float32' } };
  }
  if (precision === 'int8') {
    const own = kernels !== null && hasFastIntegerProducts(kernels);
    const stored = await (own ? prepareInt8Tiles : prepareInt8Weights)(checkpoint, options);
    return { linears: { stored, blockInput: 'int8' } };
  }
  const stored = await prepareBlockWeights(checkpoint, options);
  if (precision === 'blocks') return { linears: { stored, blockInput: 'int8' } };
  const fourBit = onlyFourBit(stored);
  return fourBit.forms.size > 0 ? { oneTokenLinears: { stored: fourBit, blockInput: 'float32' } } : {};
}

/** In float32 four-bit blocks are read faster than float32 weights, eight-bit ones are not. */
function onlyFourBit({ forms, arrays }: StoredLinears): StoredLinears {
  const kept = new Map([...forms].filter(([, form]) => form === 'blocks4'));
  const ofKept = (name: string) => kept.has(name.slice(0, name.lastIndexOf('.')));
  return { forms: kept, arrays: new Map([...arrays].filter(([name]) => ofKept(name))) };
}
