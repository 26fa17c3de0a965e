/** npm run bench: every benchmark in turn, each in a process of its own; the gates of all at the end. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from './checkout.ts';

/** In this order, with the minutes that each takes on two cores. */
const benches = [
  { name: 'engine', minutes: 15 },
  { name: 'steering', minutes: 10 },
  { name: 'service', minutes: 5 },
  { name: 'prefix', minutes: 1 },
  { name: 'starvation', minutes: 2 },
  { name: 'endurance', minutes: 4 },
  { name: 'startup', minutes: 2 },
  { name: 'loads', minutes: 1 },
  { name: 'encode', minutes: 2 },
  { name: 'search', minutes: 10 },
  { name: 'registry', minutes: 1 },
] as const;

const unknown = process.argv.slice(2).filter((argument) => argument !== '--check');
if (unknown.length > 0) {
  console.error(`npm run bench [-- --check]: no option ${unknown.join(' ')}; each benchmark alone has its own.`);
  process.exit(2);
}
const total = benches.reduce((sum, { minutes }) => sum + minutes, 0);
console.error(`${benches.length} benchmarks, about ${total} minutes. The machine should do nothing else meanwhile.`);
const began = performance.now();
const failed: string[] = [];
for (const { name, minutes } of benches) {
  const elapsed = ((performance.now() - began) / 60_000).toFixed(0);
  console.error(`\n== bench:${name}, about ${minutes} minutes (${elapsed} minutes so far) ==`);
  if ((await runBench(name)) !== 0) failed.push(name);
}
console.error(`\nDone after ${((performance.now() - began) / 60_000).toFixed(0)} minutes. Now: npm run bench:report.`);
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

function runBench(name: string): Promise<number | null> {
  const script = join(import.meta.dirname, name, 'run.js');
  const child = spawn(process.execPath, [script, ...process.argv.slice(2)], { cwd: checkout, stdio: 'inherit' });
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
}
