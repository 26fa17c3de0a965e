import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of this checkout's package.json, whether the code runs from bench/ or from dist/bench/. */
function findCheckout(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'tiller') return folder;
  }
  throw new Error(`${import.meta.dirname} does not lie in a checkout of tiller`);
}

export const checkout = findCheckout();
/** Models and derived files; shared with the tests, out of git. */
export const cacheDirectory = join(checkout, '.cache');
export const resultsDirectory = join(checkout, 'bench', 'results');
/** With a package.json of its own: what only benchmarks need is installed there. */
export const benchDirectory = join(checkout, 'bench');
export const peersDirectory = join(benchDirectory, 'peers');
