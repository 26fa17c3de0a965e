import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { TillerError } from '../core/index.ts';

/** Where onnxruntime-node keeps its library for a platform, and whether anyone has run Tiller there. */
const libraries: Readonly<Record<string, { readonly file: string; readonly tried: boolean }>> = {
  'linux-x64': { file: 'linux/x64/libonnxruntime.so.1', tried: true },
  'linux-arm64': { file: 'linux/arm64/libonnxruntime.so.1', tried: false },
  'darwin-arm64': { file: 'darwin/arm64/libonnxruntime.1.dylib', tried: false },
  'win32-x64': { file: 'win32/x64/onnxruntime.dll', tried: false },
};

export interface RuntimeLibrary {
  readonly path: string;
  /** `linux-x64`, in Node's words. */
  readonly platform: string;
  /** False: it should work there, but nobody has tried. */
  readonly tried: boolean;
}

/** The ONNX Runtime library for this platform, from the onnxruntime-node package. Throws `runtime_unavailable`. */
export function findRuntimeLibrary(platform = `${process.platform}-${process.arch}`): RuntimeLibrary {
  const library = libraries[platform];
  if (!library) {
    throw new TillerError(
      'runtime_unavailable',
      `ONNX Runtime is not available for ${platform}; Tiller runs on ${Object.keys(libraries).join(', ')}.`,
    );
  }
  const packageFile = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const path = join(dirname(packageFile), 'bin', 'napi-v6', library.file);
  if (!existsSync(path)) {
    throw new TillerError('runtime_unavailable', `The ONNX Runtime library is missing at ${path}; run npm ci again.`);
  }
  return { path, platform, tried: library.tried };
}
