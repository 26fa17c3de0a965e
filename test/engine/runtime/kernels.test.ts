import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileKernels } from '../../../engine/runtime/index.ts';

let folder: string;
let cache: string;
let caches = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-kernels-'));
});
beforeEach(() => {
  cache = join(folder, `cache-${caches++}`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const files = () => readdirSync(join(cache, 'kernels'));

/** A compiler that is a shell script; `$out` is the file it should write. */
function scripted(name: string, compile: string): string {
  const path = join(folder, name);
  const version = 'if [ "$1" = --version ]; then echo "scripted 1"; exit 0; fi';
  writeFileSync(path, `#!/bin/sh\n${version}\nfor out; do :; done\n${compile}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe.skipIf(process.platform === 'win32')("compiling Tiller's own operators", () => {
  it('is done once: the second call finds the library and leaves it alone', async () => {
    // counts what it is asked for: only the first call may compile
    const compiler = scripted('counting', `echo call >> "${folder}/calls"; echo library > "$out"`);
    const first = await compileKernels(cache, compiler);
    if (first.library === null) throw new Error(first.reason);
    const { mtimeMs, ino } = statSync(first.library);
    const second = await compileKernels(cache, compiler);
    expect(second).toEqual(first);
    expect(statSync(first.library)).toMatchObject({ mtimeMs, ino });
    expect(files()).toHaveLength(1);
    expect(statSync(join(folder, 'calls')).size).toBe('call\n'.length);
  });

  it('is done anew for another compiler', async () => {
    const [one, other] = [scripted('one', 'echo 1 > "$out"'), scripted('other', 'echo 2 > "$out"')];
    const first = await compileKernels(cache, one);
    expect(await compileKernels(cache, other)).toEqual(first);
    writeFileSync(
      other,
      '#!/bin/sh\nif [ "$1" = --version ]; then echo "scripted 2"; exit 0; fi\nfor out; do :; done\necho 3 > "$out"\n',
    );
    const third = await compileKernels(cache, other);
    expect(third.library).not.toBe(first.library);
    expect(files()).toHaveLength(2);
  });

  it('says that there is no compiler', async () => {
    const compiler = join(folder, 'no-such-compiler');
    const kernels = await compileKernels(cache, compiler);
    expect(kernels).toEqual({ library: null, reason: `there is no compiler '${compiler}'` });
  });

  it.each([
    ['at its version', '#!/bin/sh\necho "broken: error: no licence" >&2\nexit 1\n', 'no licence'],
    [
      'at the sources',
      '#!/bin/sh\nif [ "$1" = --version ]; then echo 1; exit 0; fi\nfor out; do :; done\necho half > "$out"\necho "note: none" >&2\necho "attention.cpp:1: error: what is this" >&2\nexit 1\n',
      'error: what is this',
    ],
    // without a word
    ['silently', '#!/bin/sh\nif [ "$1" = --version ]; then echo 1; exit 0; fi\nexit 1\n', 'could not compile'],
  ])('gives the reason of a compiler that fails %s, and leaves nothing behind', async (name, script, reason) => {
    const compiler = join(folder, `failing ${name}`);
    writeFileSync(compiler, script, { mode: 0o755 });
    const kernels = await compileKernels(cache, compiler);
    expect(kernels).toMatchObject({ library: null, reason: expect.stringContaining(reason) });
    expect(readdirSync(folder).includes(`cache-${caches - 1}`) ? files() : []).toEqual([]);
  });

  it('gives a reason when the cache folder cannot be written', async () => {
    writeFileSync(cache, 'a file');
    const kernels = await compileKernels(cache, scripted('good', 'echo library > "$out"'));
    expect(kernels).toMatchObject({ library: null });
  });

  it('may be asked for several times at once', async () => {
    // Each writes some time: the second begins before the first is done.
    const slow = scripted('slow', 'sleep 0.2; echo library > "$out"; sleep 0.2');
    const all = await Promise.all(Array.from({ length: 4 }, () => compileKernels(cache, slow)));
    for (const kernels of all) expect(kernels).toEqual(all[0]);
    expect(all[0]?.library).not.toBeNull();
    expect(files()).toHaveLength(1);
  });
});
