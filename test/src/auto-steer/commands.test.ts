import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addVector, openStore } from '../../../sae-registry/index.ts';
import type { AutoConditionalAnswer, AutoSteerAnswer } from '../../../src/auto-steer/auto-steer-command.ts';
import { autoSteerText } from '../../../src/cli/auto-steer.ts';
import { tinyDirection } from '../../harness/tiny-service.ts';
import { cli } from '../cli-harness.ts';

/** Plumbing over a random model: nothing that it writes means anything. */
const folder = mkdtempSync(join(tmpdir(), 'tiller-auto-cli-'));
const model = join(folder, 'tiny-chat');
const place = ['--model', model, '--cache-dir', folder, '--data-dir', folder, '--threads', '1'];
// nothing is compiled for this
const environment = { HOME: '/nowhere', TILLER_OPERATORS: 'onnxruntime' };
const run = (...words: string[]) => cli([...words, ...place], { environment });
const file = (name: string, lines: readonly string[]) => {
  writeFileSync(join(folder, name), lines.join('\n'));
  return join(folder, name);
};
const pairs = () =>
  file(
    'pairs.jsonl',
    [1, 2, 3, 4].map((i) => JSON.stringify({ prompt: `q ${i}`, positive: `yes ${i} !`, negative: `no ${i}` })),
  );
const little = ['--features', '0', '--vector-strengths', '1,8', '--max-tokens', '4', '--prompt', 'one'];

beforeAll(async () => {
  cpSync(join(import.meta.dirname, '../../fixtures/tiny-llama/f32'), model, { recursive: true });
  const path = join(model, 'tokenizer_config.json');
  const template = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}";
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, chat_template: template }));
  const store = await openStore(join(folder, 'tiller.db'));
  const directions = [{ hookPoint: 'blocks.1.hook_resid_post', values: tinyDirection(3) }];
  const about = { name: 'push', description: '', method: 'uploaded', origin: 'test' } as const;
  addVector(store, { ...about, model: 'tiny-chat', directions });
  store.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tiller auto-steer', () => {
  it('says first what came of it, then every dose beside asking', async () => {
    const { code, stdout } = await run('auto-steer', 'shout', '--pairs', pairs(), ...little, '--words', 'a,b');
    expect(code).toBe(0);
    const [title, blank, ...rest] = stdout.split('\n');
    expect([title, blank]).toEqual(['tiny-chat, "shout"', '']);
    expect(rest[0]).toMatch(/^(Nothing worked: |contrast at strength )/);
    expect(stdout).toMatch(/^pairs +4, of yours$/m);
    expect(stdout).toMatch(
      /^steering +strength +change of contrast +in deviations +change of words +in deviations +perp/m,
    );
    expect(stdout.match(/^(\* )?contrast +\d\S* +\S+ /gm)?.length).toBeGreaterThanOrEqual(2);
    expect(stdout.match(/^asking +-?\d/gm)).toHaveLength(1);
    expect(stdout).toMatch(/^unsteered$/m);
    expect(stdout).toMatch(/^asked$/m);
  });

  it('gives JSON, and saves the vector', async () => {
    const told = await run('auto-steer', 'shout', '--pairs', pairs(), ...little, '--save', 'shout', '--json');
    const answer = JSON.parse(told.stdout) as AutoSteerAnswer;
    expect(answer).toMatchObject({ specification: 'shout', contrast: { saved: { name: 'shout', version: 1 } } });
    const dose = answer.candidates[0]?.evaluation?.doses[0];
    if (!dose) throw new Error('nothing was tried');
    const edits = [{ vector: { hook_point: 'x', data: 'A'.repeat(344) }, mode: 'add', strength: 1 }];
    const chosen = { candidate: 'shout:1', strength: dose.strength, steering: { edits }, dose };
    const unsaved = { ...answer.contrast, saved: null };
    const worked = autoSteerText({ ...answer, chosen, contrast: unsaved, verdict: 'It moved.' }, 100);
    expect(worked).toContain('edits: [{"vector":{"hook_point":"x","data":"(64 numbers)"},"mode":"add","strength":1}]');
    expect(worked).toMatch(/^\* shout:1 +/m);
    expect(worked).toMatch(/^steered$/m);
    const nothing = autoSteerText({ ...answer, chosen: null, verdict: 'Nothing worked: why.' }, 100);
    expect(nothing).toContain('\n\nNothing worked: why.\n\n');
    expect(nothing).not.toContain('edits:');
  });

  it('names the line and the file at fault', async () => {
    const bad = file('bad.jsonl', ['{"prompt": "a", "positive": "b", "negative": "c"}', '{"prompt": "a"}']);
    expect(await run('auto-steer', 'shout', '--pairs', bad)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('bad.jsonl, line 2 ') },
    });
    expect(await run('auto-steer', 'shout', '--pairs', '/nowhere')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('/nowhere cannot be read') },
    });
    expect(await run('auto-steer', 'shout', '--features', '99')).toMatchObject({ code: 2 });
  });
});

describe('tiller auto-conditional', () => {
  const kind = (letter: string) => Array.from({ length: 9 }, (_, i) => `${letter.repeat(3)} ${letter.repeat(i + 1)}`);
  const edit = ['--vector', 'push', '--strength', '2', '--unit', 'raw'];

  it('gives a rule that tiller steer takes, and how often it held', async () => {
    const positive = ['--positive', file('a.txt', [...kind('a'), ''])];
    const negative = [
      '--negative',
      file(
        'z.jsonl',
        kind('z').map((text, i) => JSON.stringify(i % 2 ? { text } : text)),
      ),
    ];
    const told = await run('auto-conditional', ...positive, ...negative, ...edit, '--save', 'kind', '--json');
    expect(told.stderr).not.toContain('tiller:');
    const answer = JSON.parse(told.stdout) as AutoConditionalAnswer;
    expect(answer).toMatchObject({ measured: { positive: 3, negative: 3 }, contrast: { saved: { name: 'kind' } } });
    expect(answer.steering.rules[0]).toMatchObject({
      when: { vector: 'kind:1' },
      do: [{ vector: 'push', strength: 2 }],
    });
    const { stdout } = await run('auto-conditional', ...positive, ...negative, ...edit);
    expect(stdout.replace(/\n/g, ' ')).toContain(`tiny-chat: ${answer.verdict}  held-out prompts`);
    expect(stdout).toMatch(/^held-out prompts of the kind +fires on \d of 3$/m);
    expect(stdout).toMatch(
      /^steering: \{"rules":\[\{"when":\{"vector":\{"hook_point":"\S+","data":"\(64 numbers\)"\}/m,
    );
  });

  it.each([
    [['--positive', 'a', '--negative', 'b'], 'give --feature or --vector'],
    [['--positive', 'a', ...edit], '--negative'],
    [['--negative', 'a', ...edit], '--positive'],
  ])('refuses %j', async (words, message) => {
    expect(await run('auto-conditional', ...words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message),
    });
  });

  it('says what the route refuses', async () => {
    const few = file('few.txt', ['one', 'two']);
    const told = await run('auto-conditional', '--positive', few, '--negative', few, ...edit);
    expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining('positive') });
  });
});
