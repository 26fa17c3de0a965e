/** npm run bench:report: writes the tables of README.md and of some of docs/ from bench/results. `--check` only says whether they are current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './checkout.ts';
import { contrastTables } from './contrast/tables.ts';
import { encodeTables } from './encode/tables.ts';
import { inspectionTables } from './inspection/tables.ts';
import { interventionTables } from './interventions/tables.ts';
import { modelsTables } from './models/tables.ts';
import { qualityTables } from './quality/tables.ts';
import { replaceTables } from './replace-tables.ts';
import { readResults } from './results.ts';
import { searchTables } from './search/tables.ts';
import { renderTables } from './tables.ts';

const results = readResults();
const documents = [
  ['README.md', renderTables(results)],
  ['docs/precisions.md', results.quality ? qualityTables(results.quality) : new Map<string, string>()],
  ['docs/models.md', modelsTables(results.models)],
  ['docs/encoding.md', encodeTables(results.encode)],
  ['docs/interventions.md', interventionTables(results.interventions)],
  ['docs/inspection.md', inspectionTables(results.inspection)],
  ['docs/search.md', searchTables(results.search)],
  ['docs/contrast.md', contrastTables(results.contrast)],
] as const;
for (const [name, tables] of documents) {
  const path = join(checkout, name);
  const text = readFileSync(path, 'utf8');
  const current = replaceTables(text, tables);
  if (text === current) {
    console.log(`The tables of ${name} are current.`);
  } else if (process.argv.includes('--check')) {
    console.error(`The tables of ${name} are stale: run npm run bench:report.`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, current);
    console.log(`The tables of ${name} were written.`);
  }
}
