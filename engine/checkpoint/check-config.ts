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

/** Checks that a configuration makes a model; throws `checkpoint_invalid` naming the number that does not. */
export function checkedConfig(path: string, config: ModelConfig): ModelConfig {
  whole(path, 'the width of the stream', config.dModel, maxDModel);
  whole(path, 'the number of blocks', config.blocks, maxBlocks);
  whole(path, 'the number of attention heads', config.heads, maxHeads);
  whole(path, 'the number of key-value heads', config.keyValueHeads, maxHeads);
  whole(path, 'the width of a head', config.headDim, maxHeadDim);
  whole(path, 'the width of the MLP', config.mlpWidth, maxMlpWidth);
  whole(path, 'the size of the vocabulary', config.vocabularySize, maxVocabularySize);
  whole(path, 'the context length', config.contextLength, maxContextLength);
  if (config.heads % config.keyValueHeads !== 0) {
    throw invalid(path, `${config.heads} attention heads do not share ${config.keyValueHeads} key-value heads evenly`);
  }
  if (!(config.normEpsilon > 0 && config.normEpsilon < 1)) {
    throw invalid(path, `the norm's epsilon is ${config.normEpsilon}`);
  }
  checkRotary(path, config);
  positive(path, 'the scale of attention scores', config.attention.scale);
  positive(path, 'the scale of the embedding', config.embeddingScale);
  if (config.attention.softCap !== null) positive(path, 'the cap of attention scores', config.attention.softCap);
  if (config.finalSoftCap !== null) positive(path, 'the cap of logits', config.finalSoftCap);
  if (config.layers.length !== config.blocks) {
    throw invalid(path, `attention is described for ${config.layers.length} of ${config.blocks} blocks`);
  }
  for (const id of config.eosTokenIds) {
    if (!Number.isInteger(id) || id < 0 || id >= config.vocabularySize) {
      throw invalid(path, `token ${id}, said to end a reply, is outside its vocabulary of ${config.vocabularySize}`);
    }
  }
  return { ...config, eosTokenIds: [...new Set(config.eosTokenIds)].sort((a, b) => a - b) };
}

function checkRotary(path: string, { rotary, headDim }: ModelConfig): void {
  for (const { dimensions, base } of rotary) {
    if (dimensions % 2 !== 0) {
      throw invalid(path, `${dimensions} dimensions of a head are rotated, which is odd; rotary needs pairs`);
    }
    if (dimensions < 2 || dimensions > headDim) {
      throw invalid(path, `${dimensions} dimensions of a head of ${headDim} are rotated`);
    }
    positive(path, 'the rotary base', base);
  }
}

function positive(path: string, what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw invalid(path, `${what} is ${value}`);
}

function whole(path: string, what: string, value: number, limit: number): void {
  if (!Number.isInteger(value) || value < 1 || value > limit) {
    throw invalid(path, `${what} is ${value}; a whole number from 1 to ${limit} is expected`);
  }
}

function invalid(path: string, what: string): TillerError {
  return new TillerError('checkpoint_invalid', `${path}: ${what}.`);
}
