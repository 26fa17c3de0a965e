import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../../sae-registry/store/index.ts';
import { buildModules } from '../../harness/build-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-kill-'));
/** Labels of one file, and examples of one feature: a write that is there in part would show. */
const together = 20;
const lanes = 4;
const killsInLane = 25;
let built: string;

beforeAll(() => {
  built = buildModules('sae-registry/store/index.ts');
  // Writes as imports and runs do, and says each number once it is written; ends only by being killed.
  writeFileSync(
    join(built, 'writer.js'),
    `import { writeSync } from 'node:fs';
     import * as stores from './sae-registry/store/index.js';
     const [path, first, facts] = process.argv.slice(2);
     const store = await stores.openStore(path);
     const { key } = stores.registerSource(store, JSON.parse(facts));
     for (let n = Number(first); ; n++) {
       const staged = stores.stageLabels(store);
       staged.add(Array.from({ length: ${together} }, (_, feature) => ({
         feature, text: 'write ' + n, method: 'm', author: 'a', clarity: n,
         scores: [{ method: 'detection', author: 'j', score: 0.5, judgements: n }],
       })));
       stores.writeStore(store, () => {
         const artifact = stores.addArtifact(store, { kind: 'labels', origin: 'write', hash: String(n), bytes: n });
         staged.commit(key, artifact);
         const figures = { feature: n % 24, density: 0.5, max: n, p999: n, mean: 1, histogram: [n] };
         stores.writeStatistics(store, { source: key, version: String(n), artifact }, [figures]);
         const example = { tokens: ['token ' + n], values: Float32Array.of(n), peak: n };
         const examples = new Array(${together}).fill(example);
         stores.writeExamples(store, { source: key, artifact }, [[n % 24, examples]]);
         stores.saveJob(store, { kind: 'test', key: 'j', state: 'running', done: n, total: null, cursor: n });
       });
       staged.close();
       writeSync(1, n + '\\n');
     }`,
  );
}, 120_000);

afterAll(() => {
  for (const path of [built, folder]) rmSync(path, { recursive: true, force: true });
});

const facts = JSON.stringify({
  ...{ model: 'm', name: 's', hookPoint: 'hook_embed', hookPointOut: null, layer: null, kind: 'autoencoder' },
  ...{ activation: 'relu', features: 24, dIn: 4, dOut: 4, hash: 'h', path: null },
});

/** Runs a writer until it is killed, `afterFirst` milliseconds after its first write or `afterStart` after its start; gives the last number that it said. */
async function writeUntilKilled(path: string, first: number, afterFirst: number, afterStart: number | null) {
  const child = spawn(process.execPath, [join(built, 'writer.js'), path, String(first), facts], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const closed = new Promise<void>((settle) => child.once('close', () => settle()));
  const spoke = new Promise<void>((settle) => child.stdout.once('data', () => settle()));
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  if (afterStart === null) await Promise.race([spoke, closed]).then(() => delay(afterFirst));
  else await delay(afterStart);
  expect(child.exitCode).toBeNull();
  child.kill('SIGKILL');
  await closed;
  const numbers = said.split('\n').slice(0, -1).map(Number);
  return numbers.at(-1) ?? null;
}

/** Opens what a killed writer left: nothing damaged, nothing in part, nothing lost. */
async function check(path: string, acknowledged: ReadonlyMap<number, number>): Promise<void> {
  const store = await openStore(path);
  const all = (sql: string) => store.connection.prepare(sql).pluck().all() as number[];
  expect(store.connection.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(store.connection.pragma('foreign_key_check')).toEqual([]);
  const rows = (sql: string) => store.connection.prepare(sql).raw().all() as [number, number][];
  const written = new Map(rows('select cast(clarity as integer), count(*) from labels group by clarity'));
  expect([...written.values()].every((count) => count === together)).toBe(true);
  expect(all('select count(*) from label_scores')).toEqual([written.size * together]);
  for (const [first, last] of acknowledged)
    for (let n = first; n <= last; n++) expect(written.has(n), `${n}`).toBe(true);
  const newest = Math.max(0, ...written.keys());
  if (newest > 0) {
    expect(all('select done from jobs')).toEqual([newest]);
    expect(all(`select max from statistics where version = '${newest}'`)).toEqual([newest]);
    expect(all(`select count(*) from examples where peak = ${newest}`)).toEqual([together]);
  }
  store.close();
}

it('a writer that is killed a hundred times loses nothing that it acknowledged', { timeout: 300_000 }, async () => {
  let writes = 0;
  const lane = async (which: number) => {
    const path = join(folder, `${which}.db`);
    const acknowledged = new Map<number, number>();
    for (let kill = 0; kill < killsInLane; kill++) {
      const first = 1 + kill * 1_000_000;
      // now and then while it opens the file, or makes it
      const early = kill % 5 === 0 ? Math.random() * 400 : null;
      const last = await writeUntilKilled(path, first, Math.random() * 80, early);
      if (last !== null) {
        acknowledged.set(first, last);
        writes += last - first + 1;
      }
      if (existsSync(path)) await check(path, acknowledged);
    }
    expect(acknowledged.size).toBeGreaterThan(killsInLane / 2);
  };
  await Promise.all(Array.from({ length: lanes }, (_, which) => lane(which)));
  expect(writes).toBeGreaterThan(lanes * killsInLane);
});
