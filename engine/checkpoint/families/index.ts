import { modelFamilies } from '../../core/index.ts';
import type { Family } from './family.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gptNeox } from './gpt-neox.ts';
import { gpt2 } from './gpt2.ts';
import { llama, mistral } from './llama.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

/** Every family that is read; docs/adding-a-family.md says how one is added. */
export const families: readonly Family[] = [llama, mistral, qwen2, qwen3, gpt2, gptNeox, gemma2, gemma3];

/** The family of a config.json's `model_type`; undefined for one that is not known. */
export function familyOfType(modelType: string): Family | undefined {
  return families.find(({ modelTypes }) => modelTypes.includes(modelType));
}

/** Names for a message. */
export const familyNames = modelFamilies.join(', ');

export { ConfigFile } from './config-file.ts';
export type { Family, FamilyConfig } from './family.ts';
export { type SourceTensor, sourceName, sourceTensors } from './weight-sources.ts';
