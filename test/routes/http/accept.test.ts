import { describe, expect, it } from 'vitest';
import { acceptedType, jsonType, safetensorsType } from '../../../routes/http/accept.ts';
import { refuseLargeAnswer } from '../../../routes/http/answer-size.ts';
import { presentableError, statusOf } from '../../../routes/http/errors.ts';
import { createRouter } from '../../../routes/http/router.ts';

async function chosen(accept: string | null): Promise<string> {
  const app = createRouter();
  app.get('/', (c) => c.text(acceptedType(c, [jsonType, safetensorsType])));
  app.onError((error, c) => {
    const { code, param } = presentableError(error);
    return c.text(`${code} ${param}`, statusOf(code) as 406);
  });
  const response = await app.request('/', { headers: accept === null ? {} : { Accept: accept } });
  return `${response.status} ${await response.text()}`;
}

describe('the answer’s media type', () => {
  it.each([
    [null, jsonType],
    ['*/*', jsonType],
    ['application/json', jsonType],
    ['application/vnd.safetensors', safetensorsType],
    ['Application/Vnd.Safetensors', safetensorsType],
    ['text/html, application/*;q=0.9', jsonType],
    ['application/vnd.safetensors, application/json', jsonType],
    ['application/json;q=0.5, application/vnd.safetensors', safetensorsType],
    ['application/json;q=0, */*', safetensorsType],
  ])('for %j is %s', async (accept, type) => {
    expect(await chosen(accept)).toBe(`200 ${type}`);
  });

  it.each(['text/html', 'application/json;q=0', 'application/vnd.apache.arrow.stream'])(
    'refuses %j',
    async (accept) => {
      expect(await chosen(accept)).toBe('406 not_acceptable Accept');
    },
  );
});

it('an answer that would be too large is refused with both numbers', () => {
  const estimate = { bytes: 5_000_000, limit: 5_000_000, param: 'hook_points', wayOut: 'name fewer' };
  expect(() => refuseLargeAnswer(estimate)).not.toThrow();
  expect(() => refuseLargeAnswer({ ...estimate, bytes: 512_000_000 })).toThrow(
    'The answer could take 512 MB and may take 5.0 MB: name fewer.',
  );
});
