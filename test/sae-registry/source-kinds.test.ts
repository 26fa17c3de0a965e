import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { modelOfSource, openRegistry } from '../../sae-registry/index.ts';
import { saeFixtures } from '../harness/dictionaries.ts';

const hookPoints = new Map<string, readonly number[]>(
  [0, 1, 2, 3].flatMap((block): [string, readonly number[]][] => [
    [`blocks.${block}.ln2.hook_normalized`, [16]],
    [`blocks.${block}.attn.hook_z`, [4, 4]],
    [`blocks.${block}.mlp.hook_in`, [16]],
    [`blocks.${block}.mlp.hook_out`, [16]],
    [`blocks.${block}.hook_mlp_out`, [16]],
    [`blocks.${block}.hook_resid_post`, [16]],
  ]),
);
const tiny = { id: 'tiny-model', dModel: 16, blocks: 4, hash: 'abc', hookPoints };
const open = (path: string, model = {}) =>
  openRegistry({ model: { ...tiny, ...model }, sources: [join(saeFixtures, path)] });

const temporary = mkdtempSync(join(tmpdir(), 'tiller-kinds-'));
afterAll(() => rmSync(temporary, { recursive: true }));

describe('a source of another kind', () => {
  it('whose features do not read by one row writes alone', async () => {
    const registry = await open('sparsify/layers.1');
    const target = registry.target('layers.1/3', 'p');
    expect(target).toMatchObject({ kind: 'feature', hookPoint: 'blocks.1.hook_resid_post', encoder: null });
    expect(target.kind === 'feature' && target.decoder).toHaveLength(16);
    expect(registry.get('tiny-model', 'layers.1', '3').encoderDotDecoder).toEqual(expect.any(Number));
  });

  it('that is a transcoder writes at its output, and reads elsewhere', async () => {
    const registry = await open('sparsify/layers.1.mlp');
    expect(registry.target('layers.1.mlp/3', 'p')).toMatchObject({ hookPoint: 'blocks.1.mlp.hook_out', encoder: null });
    expect(registry.get('tiny-model', 'layers.1.mlp', '3').encoderDotDecoder).toBeNull();
  });

  it('of another place than the stream is read there', async () => {
    const registry = await open('saelens/hook-z');
    expect(registry.target('hook-z/3', 'p')).toMatchObject({
      hookPoint: 'blocks.1.attn.hook_z',
      encoder: { threshold: 0 },
    });
  });

  it('that normalises each token cannot be steered by a feature', async () => {
    const registry = await open('saelens/layer-norm');
    expect(() => registry.target('layer-norm/3', 'steering.edits[0].feature')).toThrow(
      expect.objectContaining({ code: 'edit_not_applicable', param: 'steering.edits[0].feature' }),
    );
  });

  it('that is one file has the file’s name', async () => {
    const file = 'transcoder-sets/jumprelu/layer_1.safetensors';
    const registry = await open(file);
    expect(registry.sources[0]).toMatchObject({ id: 'tiny-model/layer_1', hookPoint: 'blocks.1.mlp.hook_out' });
    expect(await modelOfSource(join(saeFixtures, file))).toBe('tiny-model');
  });

  it('counts in lengths of its decoder vectors where its card says so', async () => {
    const folder = join(temporary, 'folded');
    cpSync(join(saeFixtures, 'saelens/standard'), folder, { recursive: true });
    writeFileSync(join(folder, 'source.json'), JSON.stringify({ id: 'tiny-model/folded', fold_decoder_norms: true }));
    const registry = await openRegistry({ model: tiny, sources: [folder] });
    const target = registry.target('folded/3', 'p');
    expect(target.kind === 'feature' && Math.hypot(...target.decoder)).toBeCloseTo(1, 5);
  });
});

describe('a source of another model', () => {
  it.each([
    ['sparsify/layers.1', { id: 'other' }, 'source_invalid', /is a source of tiny-model, not of other/],
    [
      'sparsify/layers.1',
      { dModel: 32, hookPoints: undefined },
      'source_invalid',
      /blocks\.1\.hook_resid_post as 16 wide; .* is 32/,
    ],
    ['dictionary-learning/relu', { blocks: 1, hookPoints: undefined }, 'source_invalid', /has 1 blocks/],
    ['transcoder-sets/qwen3-tiny-transcoders', {}, 'source_invalid', /is a source of Qwen3-4B, not of tiny-model/],
    ['torch-files/Llama-3.1-8B-Instruct-SAE-l19', {}, 'source_invalid', /is a source of Llama-3\.1-8B-Instruct/],
    ['saelens/transcoder', {}, 'source_invalid', /writes blocks\.1\.hook_mlp_out as 12 wide; .* is 16/],
    [
      'saelens/hook-z',
      { hookPoints: new Map([['blocks.1.attn.hook_z', [4, 'keys'] as const]]) },
      'source_invalid',
      /no width of their own/,
    ],
    ['saelens/hook-z', { hookPoints: undefined }, 'source_unsupported', /A dictionary at blocks\.1\.attn\.hook_z/],
  ])('%s in %j is refused by name', async (path, model, code, message) => {
    await expect(open(path, model)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('is refused too where it reads another width', async () => {
    const narrow = new Map(hookPoints).set('blocks.1.ln2.hook_normalized', [8]);
    const folder = join(temporary, 'reads');
    cpSync(join(saeFixtures, 'saelens/jumprelu_transcoder'), folder, { recursive: true });
    const wide = new Map(narrow).set('blocks.1.hook_mlp_out', [12]);
    await expect(openRegistry({ model: { ...tiny, hookPoints: wide }, sources: [folder] })).rejects.toMatchObject({
      message: expect.stringMatching(/reads blocks\.1\.ln2\.hook_normalized as 16 wide; .* is 8/),
    });
  });

  it('that does not say where it writes needs a card that does', async () => {
    const folder = join(temporary, 'nowhere');
    cpSync(join(saeFixtures, 'dictionary-learning/relu'), folder, { recursive: true });
    const path = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ trainer: { ...config.trainer, submodule_name: 'embed' } }));
    const opened = () => openRegistry({ model: tiny, sources: [folder] });
    await expect(opened()).rejects.toMatchObject({ message: expect.stringMatching(/source\.json with hook_point/) });
    writeFileSync(
      join(folder, 'source.json'),
      JSON.stringify({ id: 'tiny-model/x', hook_point: 'blocks.2.hook_resid_post' }),
    );
    expect((await opened()).sources[0]).toMatchObject({ hookPoint: 'blocks.2.hook_resid_post' });
  });
});
