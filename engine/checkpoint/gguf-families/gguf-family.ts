import type { FamilyConfig, WeightNames } from '../families/family.ts';
import type { GgufFile } from './gguf-file.ts';

/** One architecture as llama.cpp's converter (convert_hf_to_gguf.py) writes it, with what it changes undone. */
export interface GgufFamily {
  /** Values of `general.architecture`. */
  readonly architecture: string;
  /** The model by its metadata. Throws `checkpoint_unsupported` or `checkpoint_invalid` naming the key. */
  configure(file: GgufFile): FamilyConfig;
  /** Where the file has the weights of decoder-shapes.ts. Its matrices are [out, in], whatever the published ones are. */
  readonly weights: WeightNames;
  /** The rows of q and k are stored for a rotary embedding that pairs neighbours (interleaved-rows.ts). */
  readonly interleavedRotary: boolean;
}
