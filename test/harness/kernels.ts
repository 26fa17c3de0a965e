import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileKernels } from '../../engine/runtime/index.ts';
import { testCache } from './default-model.ts';

let compiled: Promise<string> | undefined;

/** The library of Tiller's own operators. Tests need a C++ compiler: without one they fail here, rather than prove less unnoticed. */
export function testKernels(): Promise<string> {
  compiled ??= compileKernels(testCache).then((kernels) => {
    if (kernels.library === null) throw new Error(`Tests need Tiller's own operators, but ${kernels.reason}.`);
    return kernels.library;
  });
  return compiled;
}

/** Both operator sets with what an executor is given for each: own operators, and ONNX Runtime's where they cannot be compiled. */
export async function operatorSets() {
  return [
    { operators: 'tiller', kernels: await testKernels() },
    { operators: 'onnxruntime', kernels: null },
  ] as const;
}

/** A new cache folder for `loadModel` that has the operators already: compiling them takes longer than most tests. */
export async function temporaryCache(prefix: string): Promise<string> {
  await testKernels();
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const kernels = join(testCache, 'kernels');
  mkdirSync(kernels, { recursive: true });
  symlinkSync(kernels, join(folder, 'kernels'), 'junction');
  return folder;
}
