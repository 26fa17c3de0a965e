import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { listen } from '../../src/server.ts';
import { startTinyService, tinyWidth } from '../harness/tiny-service.ts';

/** What of numpy the page's example uses, for machines that have Python and not numpy. */
const standIn = `
import struct
class Array:
    def __init__(self, values, shape): self.values, self.shape = values, shape
    def reshape(self, shape): return Array(self.values, tuple(shape))
    def tolist(self): return self.values
    def round(self, digits): return Array([round(value, digits) for value in self.values], self.shape)
def frombuffer(data, kind):
    code, size = {'<f4': ('f', 4), '<f2': ('e', 2), '<i4': ('i', 4)}[kind]
    return Array(list(struct.unpack('<%d%s' % (len(data) // size, code), data)), None)
class linalg:
    @staticmethod
    def norm(array, axis):
        width = array.shape[-1]
        rows = [array.values[i:i + width] for i in range(0, len(array.values), width)]
        return Array([sum(value * value for value in row) ** 0.5 for row in rows], (len(rows),))
`;

const python = spawnSync('python3', ['-c', 'import sys']).status === 0;

it.skipIf(!python)('the Python example of docs/inspection.md prints what was read', async () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/inspection.md'), 'utf8');
  const [, example = ''] = /taps-snippet\.test\.ts -->\n```python\n([\s\S]*?)```/.exec(page) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'tiller-snippet-'));
  writeFileSync(join(folder, 'example.py'), example);
  const numpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
  if (!numpy) writeFileSync(join(folder, 'numpy.py'), standIn);
  const tiny = await startTinyService({ folder });
  const app = createApp(tiny.services);
  const server = await listen({ app, host: '127.0.0.1', port: 0 });
  try {
    const hookPoint = 'blocks.1.hook_resid_post';
    const { stdout } = await promisify(execFile)('python3', [join(folder, 'example.py'), server.url, hookPoint]);
    const [, tokens, width, norms = ''] = /^tiny-llama \((\d+), (\d+)\) \[(.*)\]\n$/.exec(stdout) ?? [];
    const ids = tiny.ready.model.tokenizer.encode('My cat chased the other cats.', { addSpecialTokens: true });
    expect([Number(tokens), Number(width)]).toEqual([ids.length, tinyWidth]);
    const told = norms.split(', ').map(Number);
    expect(told).toHaveLength(ids.length);
    expect(told.every((norm) => norm > 0)).toBe(true);
  } finally {
    await server.close(0);
    await tiny.close();
  }
});
