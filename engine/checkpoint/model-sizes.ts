import { type ModelConfig, TillerError } from '../core/index.ts';
import {
  maxBlocks,
  maxContextLength,
  maxDModel,
  maxHeadDim,
  maxHeads,
  maxMlpWidth,
  maxVocabularySize,
} from './limits.ts';

/** A llama configuration as a file states it, not yet checked. */
export type ModelSizes = Omit<ModelConfig, 'family'>;

/** Checks that the sizes make a model; throws `checkpoint_invalid` naming the one that does not. */
export function modelConfig(path: string, sizes: ModelSizes): ModelConfig {
  whole(path, 'the width of the stream', sizes.dModel, maxDModel);
  whole(path, 'the number of blocks', sizes.blocks, maxBlocks);
  whole(path, 'the number of attention heads', sizes.heads, maxHeads);
  whole(path, 'the number of key-value heads', sizes.keyValueHeads, maxHeads);
  whole(path, 'the width of a head', sizes.headDim, maxHeadDim);
  whole(path, 'the width of the MLP', sizes.mlpWidth, maxMlpWidth);
  whole(path, 'the size of the vocabulary', sizes.vocabularySize, maxVocabularySize);
  whole(path, 'the context length', sizes.contextLength, maxContextLength);
  if (sizes.heads % sizes.keyValueHeads !== 0) {
    throw invalid(path, `${sizes.heads} attention heads do not share ${sizes.keyValueHeads} key-value heads evenly`);
  }
  if (sizes.headDim % 2 !== 0) throw invalid(path, `the width of a head, ${sizes.headDim}, is odd; rotary needs pairs`);
  if (!(sizes.normEpsilon > 0 && sizes.normEpsilon < 1))
    throw invalid(path, `the norm's epsilon is ${sizes.normEpsilon}`);
  if (!(sizes.ropeBase > 0 && Number.isFinite(sizes.ropeBase))) {
    throw invalid(path, `the rotary base is ${sizes.ropeBase}`);
  }
  for (const id of sizes.eosTokenIds) {
    if (!Number.isInteger(id) || id < 0 || id >= sizes.vocabularySize) {
      throw invalid(path, `token ${id}, said to end a reply, is outside its vocabulary of ${sizes.vocabularySize}`);
    }
  }
  return { ...sizes, family: 'llama', eosTokenIds: [...new Set(sizes.eosTokenIds)].sort((a, b) => a - b) };
}

function whole(path: string, what: string, value: number, limit: number): void {
  if (!Number.isInteger(value) || value < 1 || value > limit) {
    throw invalid(path, `${what} is ${value}; a whole number from 1 to ${limit} is expected`);
  }
}

function invalid(path: string, what: string): TillerError {
  return new TillerError('checkpoint_invalid', `${path}: ${what}.`);
}
