import { demoTable } from './demo/results.ts';
import { checkEndurance } from './endurance/gates.ts';
import { enduranceTable } from './endurance/tables.ts';
import { checkEngine } from './engine/gates.ts';
import { decodeTable, prefillTable } from './engine/tables.ts';
import type { Gate } from './gates.ts';
import { table } from './markdown.ts';
import { checkPrefix } from './prefix/gates.ts';
import { prefixTable } from './prefix/tables.ts';
import type { Results } from './results.ts';
import { checkService } from './service/gates.ts';
import { serviceTable } from './service/tables.ts';
import { checkStartup } from './startup/gates.ts';
import { memoryTable, startupTable } from './startup/tables.ts';
import { checkStarvation } from './starvation/gates.ts';
import { starvationTable } from './starvation/tables.ts';
import { checkSteering } from './steering/gates.ts';
import { steeringTable } from './steering/tables.ts';

/** Those of quality are in docs/precisions.md (quality/tables.ts). */
type ReadmeResults = Omit<Results, 'quality'>;

/** The README's tables by the name in their markers. */
export function renderTables(results: ReadmeResults): ReadonlyMap<string, string> {
  const { engine, steering, service, prefix, starvation, endurance, startup, demo } = results;
  return new Map([
    ['gates', gatesTable(results)],
    ['decode', decodeTable(engine)],
    ['prefill', prefillTable(engine)],
    ['steering', steeringTable(steering)],
    ['service', serviceTable(service)],
    ['prefix', prefixTable(prefix)],
    ['starvation', starvationTable(starvation)],
    ['endurance', enduranceTable(endurance)],
    ['startup', startupTable(startup)],
    ['memory', memoryTable(startup)],
    ['demo', demoTable(demo)],
  ]);
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
}: ReadmeResults): string {
  const gates: readonly (readonly [string, readonly Gate[]])[] = [
    ['engine', checkEngine(engine)],
    ['steering', checkSteering(steering)],
    ['service', checkService(service)],
    ['prefix', checkPrefix(prefix)],
    ['starvation', checkStarvation(starvation)],
    ['endurance', checkEndurance(endurance)],
    ['startup', checkStartup(startup)],
  ];
  const rows = gates.flatMap(([bench, list]) =>
    list.map(({ name, value, limit, reach, atLeast, passed }) => [
      `${name} (\`${bench}\`)`,
      value === null ? 'not measured' : value.toFixed(2),
      `${atLeast ? '≥' : '≤'} ${limit}`,
      reach === null ? '' : String(reach),
      passed ? 'kept' : '**not kept**',
    ]),
  );
  return table(['promise', 'measured', 'floor', 'reach for', ''], rows);
}
