import type { FamilyConfig } from '../families/family.ts';
import { maxBlocks } from '../limits.ts';
import type { GgufFile } from './gguf-file.ts';

export type Sizes = Pick<
  FamilyConfig,
  | 'dModel'
  | 'blocks'
  | 'heads'
  | 'keyValueHeads'
  | 'headDim'
  | 'mlpWidth'
  | 'vocabularySize'
  | 'contextLength'
  | 'tiedEmbeddings'
>;

/** What every architecture states in the same words. Not yet checked, but for the number of blocks: lists of it are made at once. */
export function sizesOf(file: GgufFile): Sizes {
  const heads = file.requireNumber('attention.head_count');
  const dModel = file.requireNumber('embedding_length');
  const headDim = file.number('attention.key_length') ?? dModel / heads;
  file.expect('attention.value_length', headDim);
  const { vocabularySize, tiedEmbeddings } = file.shapes;
  const stated = file.number('vocab_size') ?? vocabularySize;
  if (stated !== vocabularySize) {
    throw file.invalid(
      `tensor 'token_embd.weight' has ${vocabularySize} rows, ${file.architecture}.vocab_size is ${stated}`,
    );
  }
  return {
    dModel,
    heads,
    headDim,
    blocks: blocksOf(file),
    keyValueHeads: file.number('attention.head_count_kv') ?? heads,
    mlpWidth: file.requireNumber('feed_forward_length'),
    vocabularySize,
    contextLength: file.requireNumber('context_length'),
    tiedEmbeddings,
  };
}

function blocksOf(file: GgufFile): number {
  const blocks = file.requireNumber('block_count');
  if (Number.isInteger(blocks) && blocks >= 1 && blocks <= maxBlocks) return blocks;
  throw file.invalid(`the number of blocks is ${blocks}; a whole number from 1 to ${maxBlocks} is expected`);
}
