import { createDictionary, type Dictionary } from '../dictionary.ts';
import type { DictionaryWeights } from '../dictionary-weights.ts';
import { sourceInvalid } from '../source-error.ts';
import { dictionaryLearning } from './dictionary-learning.ts';
import { gemmaScope } from './gemma-scope.ts';
import { gemmaScope2 } from './gemma-scope-2.ts';
import { goodfire } from './goodfire.ts';
import { llamaScope } from './llama-scope.ts';
import type { DictionaryLoader, LoadOptions } from './loader.ts';
import { qwenScope } from './qwen-scope.ts';
import { refusedKinds } from './refused-kinds.ts';
import { saelens } from './saelens.ts';
import { type SourceFiles, sourceFiles } from './source-files.ts';
import { sparsify } from './sparsify.ts';
import { transcoderSet } from './transcoder-set.ts';

/** Every format that is read; the first that recognises the files has them. */
const loaders: readonly DictionaryLoader[] = [
  saelens,
  sparsify,
  gemmaScope,
  gemmaScope2,
  dictionaryLearning,
  llamaScope,
  refusedKinds,
  transcoderSet,
  qwenScope,
  goodfire,
];

/** Names of the formats that are read, for a person. */
const formats = loaders.filter((loader) => loader !== refusedKinds).map(({ format }) => format);

/**
 * Loads the dictionary at a path, a folder or one file, in whatever format it is (docs/saes.md). Throws `source_invalid` for files
 * that contradict themselves or are of no known format, `source_unsupported` for what cannot be run exactly.
 */
export async function loadDictionary(path: string, options: LoadOptions = {}): Promise<Dictionary> {
  return createDictionary(await readDictionary(path, options));
}

/** The description that a dictionary is made of. Throws like `loadDictionary`. */
export async function readDictionary(path: string, options: LoadOptions = {}): Promise<DictionaryWeights> {
  const files = sourceFiles(path);
  return (await loaderOf(files)).load(files, options);
}

/** The model that the dictionary at a path says it was made on; null where it does not. Throws like `loadDictionary`. */
export async function dictionaryModelName(path: string): Promise<string | null> {
  const files = sourceFiles(path);
  return (await loaderOf(files)).modelName(files);
}

async function loaderOf(files: SourceFiles): Promise<DictionaryLoader> {
  for (const loader of loaders) if (await loader.recognises(files)) return loader;
  throw sourceInvalid(
    `${files.path} holds no dictionary of a known format (${formats.join(', ')}). ` +
      'docs/saes.md says which files each has.',
  );
}
