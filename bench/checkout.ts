import { join } from 'node:path';
import { packageRoot } from '../engine/runtime/package-root.ts';

function findCheckout(): string {
  const root = packageRoot();
  if (root === null) throw new Error(`${import.meta.dirname} does not lie in a checkout of tiller`);
  return root;
}

export const checkout = findCheckout();
/** Models and derived files; shared with the tests, out of git. */
export const cacheDirectory = join(checkout, '.cache');
export const resultsDirectory = join(checkout, 'bench', 'results');
/** With a package.json of its own: what only benchmarks need is installed there. */
export const benchDirectory = join(checkout, 'bench');
export const peersDirectory = join(benchDirectory, 'peers');
