import { expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

interface Listed {
  readonly hook_points: readonly {
    readonly name: string;
    readonly shape: readonly (number | 'keys')[];
    readonly editable: boolean;
    readonly why_not: string | null;
    readonly aliases: readonly string[];
  }[];
}

it('lists a model’s hook points with their shapes, in its order', async () => {
  const response = await fakeApp().get('/api/v1/models/toy-chat/hook-points');
  expect(response.status).toBe(200);
  const { hook_points } = (await response.json()) as Listed;
  const names = hook_points.map(({ name }) => name);
  expect(names.slice(0, 3)).toEqual(['hook_embed', 'blocks.0.hook_resid_pre', 'blocks.0.ln1.hook_scale']);
  expect(names.at(-1)).toBe('ln_final.hook_normalized');
  expect(new Set(names).size).toBe(names.length);
  const found = (name: string) => hook_points.find((each) => each.name === name);
  expect(found('blocks.1.attn.hook_q')).toEqual({
    name: 'blocks.1.attn.hook_q',
    shape: [4, 16],
    editable: true,
    why_not: null,
    aliases: [],
  });
  expect(found('blocks.1.hook_resid_post')?.aliases).toContain('blocks.2.hook_resid_pre');
  expect(found('blocks.1.attn.hook_rot_q')).toMatchObject({
    editable: false,
    why_not: expect.stringContaining('edit hook_q'),
  });
  expect(found('blocks.1.attn.hook_pattern')).toMatchObject({
    shape: [4, 'keys'],
    editable: false,
    why_not: expect.stringContaining('hook_z'),
  });
  expect(found('blocks.1.attn.hook_attn_scores')?.shape).toEqual([4, 'keys']);
});

it('says that there is no such model', async () => {
  const response = await fakeApp().get('/api/v1/models/none/hook-points');
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: 'model_not_found', param: 'model' });
});
