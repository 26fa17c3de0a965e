import { koffi } from './foreign.ts';

const known = new Map<string, boolean>();

/**
 * Whether Tiller's own 8-bit products are the fast ones on this processor: those with a matrix extension or 8-bit dot products of x86.
 * Elsewhere ONNX Runtime's are.
 *
 * @param library of own operators (kernels.ts)
 */
export function hasFastIntegerProducts(library: string): boolean {
  const found = known.get(library);
  if (found !== undefined) return found;
  const fast = koffi.load(library).func('int TillerFastIntegerProducts()')() === 1;
  known.set(library, fast);
  return fast;
}
