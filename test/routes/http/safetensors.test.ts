import { expect, it } from 'vitest';
import { createRouter } from '../../../routes/http/router.ts';
import { type AnswerTensor, safetensorsResponse } from '../../../routes/http/safetensors.ts';
import { readSafetensors } from '../../harness/read-safetensors.ts';

async function answer(tensors: Record<string, AnswerTensor>, metadata = {}): Promise<Response> {
  const app = createRouter();
  app.get('/', (c) => safetensorsResponse(c, new Map(Object.entries(tensors)), metadata));
  return app.request('/');
}

it('answers with tensors and metadata that a reader of the format finds again', async () => {
  const response = await answer(
    {
      long: { type: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) },
      values: { type: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6).subarray(0) },
      empty: { type: 'F32', shape: [0, 3], data: new Float32Array(0) },
      // a view in the middle of an array
      halves: { type: 'F16', shape: [1], data: Uint16Array.of(9, 0x3c00, 9).subarray(1, 2) },
    },
    { model: 'toy "chat" é' },
  );
  expect(response.headers.get('content-type')).toBe('application/vnd.safetensors');
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(response.headers.get('content-length')).toBe(String(bytes.length));
  const { tensors, metadata } = readSafetensors(bytes);
  expect(metadata).toEqual({ model: 'toy "chat" é' });
  expect([...tensors.keys()]).toEqual(['long', 'values', 'empty', 'halves']);
  expect(tensors.get('values')).toEqual({ type: 'F32', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) });
  expect(tensors.get('long')?.values).toEqual(BigInt64Array.of(-1n, 2n ** 40n));
  expect(tensors.get('halves')?.values).toEqual(Uint16Array.of(0x3c00));
  expect(tensors.get('empty')?.values).toHaveLength(0);
});

it('never answers with a tensor that is not of its own shape', async () => {
  const app = createRouter();
  const tensor: AnswerTensor = { type: 'F32', shape: [4], data: new Float32Array(3) };
  app.get('/', (c) => safetensorsResponse(c, new Map([['x', tensor]])));
  expect((await app.request('/')).status).toBe(500);
});
