/** npm run bench:report: writes the tables of README.md from bench/results. `--check` only says whether they are current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './checkout.ts';
import { readResults } from './results.ts';
import { renderTables, replaceTables } from './tables.ts';

const path = join(checkout, 'README.md');
const text = readFileSync(path, 'utf8');
const current = replaceTables(text, renderTables(readResults()));
if (text === current) {
  console.log('The tables of README.md are current.');
} else if (process.argv.includes('--check')) {
  console.error('The tables of README.md are stale: run npm run bench:report.');
  process.exitCode = 1;
} else {
  writeFileSync(path, current);
  console.log('The tables of README.md were written.');
}
