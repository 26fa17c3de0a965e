import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { resultsDirectory } from './checkout.ts';
import { contrastResults } from './contrast/results.ts';
import { demoResults } from './demo/results.ts';
import { encodeResults } from './encode/results.ts';
import { enduranceResults } from './endurance/results.ts';
import { engineResults } from './engine/results.ts';
import { inspectionResults } from './inspection/results.ts';
import { interventionResults } from './interventions/results.ts';
import { loadsResults } from './loads/results.ts';
import { modelsResults } from './models/results.ts';
import { prefixResults } from './prefix/results.ts';
import { qualityResults } from './quality/results.ts';
import { searchResults } from './search/results.ts';
import { serviceResults } from './service/results.ts';
import { startupResults } from './startup/results.ts';
import { starvationResults } from './starvation/results.ts';
import { steeringResults } from './steering/results.ts';

/** What each benchmark keeps in bench/results, by its name. */
const schemas = {
  engine: engineResults,
  steering: steeringResults,
  service: serviceResults,
  prefix: prefixResults,
  starvation: starvationResults,
  endurance: enduranceResults,
  startup: startupResults,
  loads: loadsResults,
  demo: demoResults,
  search: searchResults,
  quality: qualityResults,
  models: modelsResults,
  encode: encodeResults,
  contrast: contrastResults,
  interventions: interventionResults,
  inspection: inspectionResults,
} as const;
export type ResultName = keyof typeof schemas;
export type Results = { readonly [Name in ResultName]: z.infer<(typeof schemas)[Name]> };

/** The same, null for a benchmark that has no results yet. */
export type KeptResults = { readonly [Name in ResultName]: Results[Name] | null };

const fileOf = (name: ResultName) => join(resultsDirectory, `${name}.json`);

export function writeResults<Name extends ResultName>(name: Name, results: Results[Name]): string {
  mkdirSync(resultsDirectory, { recursive: true });
  writeFileSync(fileOf(name), `${formatJson(schemas[name].parse(results))}\n`);
  return fileOf(name);
}

/** All committed results. Throws, naming the command to run, where one is not what this version writes. */
export function readResults(): KeptResults {
  const read = <T>(name: ResultName, schema: z.ZodType<T>): T | null => {
    if (!existsSync(fileOf(name))) return null;
    try {
      return schema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')));
    } catch (error) {
      throw new Error(`bench/results/${name}.json cannot be used; run npm run bench:${name}`, { cause: error });
    }
  };
  return {
    engine: read('engine', engineResults),
    steering: read('steering', steeringResults),
    service: read('service', serviceResults),
    prefix: read('prefix', prefixResults),
    starvation: read('starvation', starvationResults),
    endurance: read('endurance', enduranceResults),
    startup: read('startup', startupResults),
    loads: read('loads', loadsResults),
    demo: read('demo', demoResults),
    search: read('search', searchResults),
    quality: read('quality', qualityResults),
    models: read('models', modelsResults),
    encode: read('encode', encodeResults),
    contrast: read('contrast', contrastResults),
    interventions: read('interventions', interventionResults),
    inspection: read('inspection', inspectionResults),
  };
}

/** Indented JSON with six digits of what is not whole, and lists of numbers on one line each. */
function formatJson(value: unknown): string {
  const rounded = (_key: string, entry: unknown) =>
    typeof entry === 'number' && !Number.isInteger(entry) ? Number(entry.toPrecision(6)) : entry;
  const text = JSON.stringify(value, rounded, 2);
  return text.replace(/\[\s+([-\d.,\se+]+?)\s+\]/g, (_all, list: string) => `[${list.split(/,\s+/).join(', ')}]`);
}
