import { TillerError } from '../../engine/index.ts';
import type { ContrastMethodName, ContrastRequest } from '../../routes/services.ts';
import { isPaired } from '../../sae-registry/index.ts';

/** Tokens of both data sets together; reading a thousand takes about a second on two cores. */
const mostTokens = 131_072;
/** Floats that are kept of all items at all hook points: 256 MiB. */
const mostFloats = 2 ** 26;
/** Multiplications; a thousand million take about a second. */
const mostMultiplications = 1.5e11;

/** Usual numbers of products with the samples: L-BFGS iterations, conjugate gradients, Lanczos steps. */
const logisticProducts = 2 * 80;
const gradientProducts = 2 * 250;
const lanczosProducts = 2 * 60;

export interface ContrastSize {
  readonly tokens: number;
  /** Samples of all items: one each, or one a token. */
  readonly samples: number;
  readonly widths: readonly number[];
  readonly folds: number;
  readonly method: ContrastMethodName;
}

/** What a contrast would read, keep and compute. */
export function estimateContrast({ tokens, samples, widths, folds, method }: ContrastSize) {
  const width = widths.reduce((sum, each) => sum + each, 0);
  // of several places the choice is held out too, for which each two folds are left out
  const fits = 1 + folds + (widths.length > 1 ? (folds * (folds - 1)) / 2 : 0);
  const multiplications = fits * productsOf(method, samples) * samples * width;
  return { tokens, floats: samples * width, multiplications };
}

/** How often a fit goes over its samples. */
function productsOf(method: ContrastMethodName, samples: number): number {
  if (method === 'difference_of_means') return 4;
  if (method === 'logistic') return logisticProducts;
  return isPaired(method) ? lanczosProducts : gradientProducts + samples;
}

/** Samples that a request's positions keep. */
export function samplesOf({ positive, negative, positions }: ContrastRequest): number {
  const items = [...positive, ...negative];
  if (positions !== 'all') return items.length;
  return items.reduce((sum, { own }) => sum + own.to - Math.max(1, own.from), 0);
}

/** Throws `invalid_request` with the estimate and the limit where a contrast would be too large. */
export function refuseTooLarge(size: ContrastSize): void {
  const { tokens, floats, multiplications } = estimateContrast(size);
  const refuse = (what: string, wayOut: string): never => {
    throw new TillerError('invalid_request', `The contrast would ${what}: ${wayOut}.`, { param: 'hook_points' });
  };
  if (tokens > mostTokens) {
    const message = `The items have ${tokens} tokens together and at most ${mostTokens} are read at once: give fewer or shorter ones.`;
    throw new TillerError('invalid_request', message, { param: 'items' });
  }
  const fewer = "name fewer 'hook_points', give fewer items, or another 'positions' than 'all'";
  if (floats > mostFloats) refuse(`keep ${floats} numbers, and at most ${mostFloats} are kept`, fewer);
  if (multiplications <= mostMultiplications) return;
  const figures = `about ${multiplications.toExponential(1)} multiplications, and the limit is ${mostMultiplications.toExponential(1)}`;
  refuse(`take ${figures}`, `${fewer}, fewer 'folds', or the method 'difference_of_means'`);
}
