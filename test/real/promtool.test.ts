import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { finishedEvent, stepEvent, toyMetrics } from '../harness/metrics.ts';

const check = join(import.meta.dirname, '../../deploy/check.sh');
const folder = mkdtempSync(join(tmpdir(), 'tiller-scrape-'));

/** deploy/check.sh on a scrape: its status and all that it said. Status 2: there is no promtool to be had here. */
async function run(scrape: string): Promise<{ readonly status: number; readonly said: string }> {
  const path = join(folder, 'metrics.txt');
  writeFileSync(path, scrape);
  try {
    const { stdout } = await promisify(execFile)(check, [path]);
    return { status: 0, said: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, said: stdout + stderr };
  }
}

async function toyScrape(): Promise<string> {
  const metrics = toyMetrics();
  metrics.observer(stepEvent());
  metrics.observer(finishedEvent());
  metrics.services.observeHttp({ method: 'GET', route: '/healthz', status: 200, seconds: 0.01 });
  metrics.requests.editAccepted({ mode: 'add', source: 'vector', profile: null });
  metrics.requests.editFinished({ mode: 'add', source: 'vector', profile: null }, 0.2, 5);
  return (await metrics.services.render()).body;
}

describe('promtool', () => {
  it('takes the alert rules, passes their unit tests, and reads a scrape', async (context) => {
    const { status, said } = await run(await toyScrape());
    if (status === 2) context.skip(said);
    expect({ status, said }).toMatchObject({ status: 0 });
    expect(said.match(/SUCCESS/g)).toHaveLength(3);
  });

  it('finds a scrape that is broken, and a metric against the conventions', async (context) => {
    const scrape = await toyScrape();
    const broken = await run(`${scrape}tiller_slots{model_name="a" 3\n`);
    if (broken.status === 2) context.skip(broken.said);
    expect(broken.status).toBe(1);
    const odd = await run(`${scrape}# HELP tiller_odd Odd.\n# TYPE tiller_odd counter\ntiller_odd 1\n`);
    expect(odd.status).toBe(1);
    expect(odd.said).toContain('tiller_odd counter metrics should have "_total" suffix');
  });
});
