import { TillerError } from '../core/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decoderShapes } from './decoder-shapes.ts';
import { configFromGguf, ggufTokenizer } from './gguf-config.ts';
import { type GgufEntry, readGgufHeader } from './gguf-header.ts';
import { GgufMetadata } from './gguf-metadata.ts';
import { huggingFaceName, interleavedHeads } from './gguf-names.ts';
import { LocalFile } from './local-file.ts';
import { OpenedCheckpoint } from './opened-checkpoint.ts';
import { checkTensors } from './select-tensors.ts';
import type { StoredTensor } from './tensor.ts';

/** Opens one GGUF file. The caller owns the checkpoint and closes it. */
export async function openGguf(path: string): Promise<Checkpoint> {
  const file = await LocalFile.open(path);
  try {
    return await read(path, file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function read(path: string, file: LocalFile): Promise<Checkpoint> {
  const header = await readGgufHeader(file);
  const metadata = new GgufMetadata(path, header.metadata);
  const architecture = metadata.string('general.architecture');
  if (architecture !== 'llama') {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path} describes a model of architecture '${architecture ?? 'unknown'}'. This version runs: llama.`,
    );
  }
  if ((metadata.number('split.count') ?? 1) > 1) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path} is one part of a split GGUF; merge it with llama-gguf-split --merge.`,
    );
  }
  const tokenizerFiles = ggufTokenizer(metadata);
  const embedding = header.entries.find(({ name }) => name === 'token_embd.weight');
  if (embedding === undefined) throw new TillerError('checkpoint_invalid', `${path} lacks tensor 'token_embd.weight'.`);
  const tiedEmbeddings = !header.entries.some(({ name }) => name === 'output.weight');
  const config = configFromGguf(metadata, { vocabularySize: embedding.shape[0] ?? 0, tiedEmbeddings }, tokenizerFiles);
  const found = renamed(path, header.entries, config);
  const shapes = decoderShapes(config);
  checkTensors(path, { shapes, owner: 'the llama family', isHarmless: () => false }, found);
  const tensors = new Map([...shapes.keys()].map((name) => [name, found.get(name) as StoredTensor]));
  const chatTemplate = metadata.string('tokenizer.chat_template') ?? null;
  return new OpenedCheckpoint({ path, format: 'gguf', config, files: [file], tensors, tokenizerFiles, chatTemplate });
}

function renamed(
  path: string,
  entries: readonly GgufEntry[],
  config: { readonly heads: number; readonly keyValueHeads: number },
): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const entry of entries) {
    const name = huggingFaceName(entry.name);
    if (tensors.has(name)) throw new TillerError('checkpoint_invalid', `${path} has two tensors for '${name}'.`);
    const heads = interleavedHeads(name, config.heads, config.keyValueHeads);
    tensors.set(name, { ...entry, name, file: 0, interleavedHeads: heads });
  }
  return tensors;
}
