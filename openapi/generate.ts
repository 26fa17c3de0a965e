/** Writes openapi/tiller.json; run from the repository root (`npm run openapi`). A test fails while the file is out of date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { renderOpenApi } from './render.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
writeFileSync('openapi/tiller.json', renderOpenApi(version));
