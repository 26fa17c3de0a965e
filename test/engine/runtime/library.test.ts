import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findRuntimeLibrary } from '../../../engine/runtime/library.ts';

describe('the runtime library', () => {
  it.each([
    ['linux-x64', 'libonnxruntime.so.1', true],
    ['linux-arm64', 'libonnxruntime.so.1', false],
    ['darwin-arm64', 'libonnxruntime.1.dylib', false],
    ['win32-x64', 'onnxruntime.dll', false],
  ])('of %s comes with the package', (platform, file, tried) => {
    const library = findRuntimeLibrary(platform);
    expect(library).toMatchObject({ platform, tried });
    expect(library.path.endsWith(file)).toBe(true);
    expect(existsSync(library.path)).toBe(true);
  });

  it('of any other platform is refused with those there are', () => {
    expect(() => findRuntimeLibrary('sunos-x64')).toThrow(
      expect.objectContaining({ code: 'runtime_unavailable', message: expect.stringMatching(/sunos-x64.*linux-x64/) }),
    );
  });
});
