import type { OperatorSet } from '../engine/core/index.ts';
// not through the door: tiller doctor asks where the runtime itself may be missing
import { compilerVersion } from '../engine/runtime/kernels.ts';
import type { Config } from './config.ts';

/** The operators that a model would be loaded with: Tiller's own where there is a compiler for them. */
export async function expectedOperators({ operators }: Pick<Config, 'operators'>): Promise<OperatorSet> {
  if (operators === 'onnxruntime' || process.platform === 'win32') return 'onnxruntime';
  return (await compilerVersion().catch(() => null)) === null ? 'onnxruntime' : 'tiller';
}
