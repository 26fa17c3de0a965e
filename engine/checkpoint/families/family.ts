import type { ModelConfig, ModelFamily } from '../../core/index.ts';
import type { ConfigFile } from './config-file.ts';

/** A configuration but for its first and last tokens, which other files name too. */
export type FamilyConfig = Omit<ModelConfig, 'bosTokenId' | 'eosTokenIds'>;

/** One family as Hugging Face publishes it: what its config.json says, and what its weights are called. */
export interface Family {
  readonly name: ModelFamily;
  /** Values of config.json's `model_type`. */
  readonly modelTypes: readonly string[];
  /** Throws `checkpoint_unsupported` naming the field that would be ignored, `checkpoint_invalid` for one that is malformed. */
  configure(file: ConfigFile): FamilyConfig;
  readonly weights: WeightNames;
}

/** Where the weights of decoder-shapes.ts lie in the family's files. */
export interface WeightNames {
  /** What stands before a block's number: `model.layers`. */
  readonly blocks: string;
  /** Module by module, without `.weight` and `.bias`; those in a block without `model.layers.L.`. One that is not named has its own name. */
  readonly modules: Readonly<Record<string, ModuleSource>>;
  /** The name without what some publishers put before it. */
  plainName?(name: string): string;
  /** Tensors that transformers does not read into the model of text either. */
  readonly unused: readonly RegExp[];
}

/** How a module's weights are to be taken out of the file. */
export interface ModuleSource {
  /** The module's name there, below the block. */
  readonly from: string;
  /** Matrices lie as [in, out]. */
  readonly transposed?: boolean;
  /** It is one of several below each other in the file's, the whole of each in turn or head by head. */
  readonly part?: { readonly index: number; readonly of: number; readonly turns: 'whole' | 'head' };
  /** To be added to every weight: norms whose gain is stored less one. */
  readonly plus?: number;
}
