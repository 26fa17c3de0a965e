import { TillerError } from '../../core/index.ts';
import { gemma2, gemma3 } from './gemma.ts';
import type { GgufFamily } from './gguf-family.ts';
import { gpt2 } from './gpt2.ts';
import { gptneox } from './gptneox.ts';
import { llama } from './llama.ts';
import { qwen2, qwen3 } from './qwen.ts';

const families: readonly GgufFamily[] = [llama, qwen2, qwen3, gpt2, gptneox, gemma2, gemma3];

/** The family of a file's `general.architecture`. Throws `checkpoint_unsupported` with those that there are. */
export function ggufFamilyOf(path: string, architecture: string | undefined): GgufFamily {
  const family = families.find((candidate) => candidate.architecture === architecture);
  if (family) return family;
  throw new TillerError(
    'checkpoint_unsupported',
    `${path} describes a model of architecture '${architecture ?? 'unknown'}'. This version runs: ` +
      `${families.map((known) => known.architecture).join(', ')}.`,
  );
}

export type { GgufFamily } from './gguf-family.ts';
export { GgufFile } from './gguf-file.ts';
