import { demoTable } from './demo/results.ts';
import { checkEndurance } from './endurance/gates.ts';
import { enduranceTable } from './endurance/tables.ts';
import { checkEngine } from './engine/gates.ts';
import { decodeTable, prefillTable } from './engine/tables.ts';
import type { Gate } from './gates.ts';
import { checkLoads } from './loads/gates.ts';
import { loadsTable } from './loads/tables.ts';
import { table } from './markdown.ts';
import { checkPrefix } from './prefix/gates.ts';
import { prefixTable } from './prefix/tables.ts';
import type { KeptResults, ResultName } from './results.ts';
import { checkService } from './service/gates.ts';
import { serviceTable } from './service/tables.ts';
import { checkStartup } from './startup/gates.ts';
import { memoryTable, startupTable } from './startup/tables.ts';
import { checkStarvation } from './starvation/gates.ts';
import { starvationTable } from './starvation/tables.ts';
import { checkSteering } from './steering/gates.ts';
import { steeringTable } from './steering/tables.ts';

/** Those of quality, models, encode, inspection, search, contrast and interventions are in docs/, by their own tables.ts. */
type InDocuments = 'quality' | 'models' | 'encode' | 'inspection' | 'search' | 'contrast' | 'interventions';
type ReadmeResults = Omit<KeptResults, InDocuments>;

/** The README's tables by the name in their markers. */
export function renderTables(results: ReadmeResults): ReadonlyMap<string, string> {
  const { engine, steering, service, prefix, starvation, endurance, startup, loads, demo } = results;
  return new Map([
    ['gates', gatesTable(results)],
    ['decode', unlessMissing('engine', engine, decodeTable)],
    ['prefill', unlessMissing('engine', engine, prefillTable)],
    ['steering', unlessMissing('steering', steering, steeringTable)],
    ['service', unlessMissing('service', service, serviceTable)],
    ['prefix', unlessMissing('prefix', prefix, prefixTable)],
    ['starvation', unlessMissing('starvation', starvation, starvationTable)],
    ['endurance', unlessMissing('endurance', endurance, enduranceTable)],
    ['startup', unlessMissing('startup', startup, startupTable)],
    ['loads', unlessMissing('loads', loads, loadsTable)],
    ['memory', unlessMissing('startup', startup, memoryTable)],
    ['demo', unlessMissing('demo', demo, demoTable)],
  ]);
}

/** A benchmark that has not been run since its results changed form says so in its place. */
function unlessMissing<Kept>(bench: ResultName, results: Kept | null, render: (results: Kept) => string): string {
  return results === null ? `Not measured yet: \`npm run bench:${bench}\`.` : render(results);
}

/** Every promise with what was measured, whether it is kept or not. */
export function gatesTable({
  engine,
  steering,
  service,
  prefix,
  starvation,
  endurance,
  startup,
  loads,
}: ReadmeResults): string {
  const gates: readonly (readonly [string, readonly Gate[] | null])[] = [
    ['engine', engine && checkEngine(engine)],
    ['steering', steering && checkSteering(steering)],
    ['service', service && checkService(service)],
    ['prefix', prefix && checkPrefix(prefix)],
    ['starvation', starvation && checkStarvation(starvation)],
    ['endurance', endurance && checkEndurance(endurance)],
    ['startup', startup && checkStartup(startup)],
    ['loads', loads && checkLoads(loads)],
  ];
  const rows = gates.flatMap(([bench, list]) => {
    if (!list) return [[`everything that \`bench:${bench}\` promises`, 'not measured', '', '', '**not kept**']];
    return list.map(({ name, value, limit, reach, atLeast, passed }) => [
      `${name} (\`${bench}\`)`,
      value === null ? 'not measured' : value.toFixed(2),
      `${atLeast ? '≥' : '≤'} ${limit}`,
      reach === null ? '' : String(reach),
      passed ? 'kept' : '**not kept**',
    ]);
  });
  return table(['promise', 'measured', 'floor', 'reach for', ''], rows);
}
