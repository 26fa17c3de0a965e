import type { DictionaryWeights } from '../dictionary-weights.ts';
import type { SourceCard } from '../source-card.ts';
import type { SourceFiles } from './source-files.ts';

export interface LoadOptions {
  /** Activations count in lengths of their decoder vectors, as Neuronpedia counts them (SAELens `fold_W_dec_norm`). */
  readonly foldDecoderNorms?: boolean;
  /** What the files of a SAELens folder do not say of how it was made; goes before what they say. */
  readonly madeWith?: SourceCard['made_with'];
  /** A matrix up to this size is held in memory; rows of a larger one are read when they are asked for. */
  readonly maxResidentMatrixBytes?: number;
}

/** One format of dictionaries on disk. What is foreign about it stays in its loader: the rest knows `DictionaryWeights` alone. */
export interface DictionaryLoader {
  /** The format's name, for a person. */
  readonly format: string;
  /** Whether these files look like it. Reads no weights. */
  recognises(files: SourceFiles): boolean | Promise<boolean>;
  /** The model that it was made on, as the files say it; null where they do not. Throws like `load`. */
  modelName(files: SourceFiles): Promise<string | null>;
  /** Throws `source_invalid` for files that contradict themselves, `source_unsupported` for what cannot be run exactly. */
  load(files: SourceFiles, options: LoadOptions): Promise<DictionaryWeights>;
}
