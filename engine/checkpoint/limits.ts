import type { JsonBounds } from './json-bounds.ts';

/**
 * Bounds on what a checkpoint file may claim. A real model stays far below each of them; a hostile header that exceeds one
 * is refused before anything is allocated for it.
 */

/** Bytes of a GGUF header. Vocabularies of 262,144 tokens with their merges take about 20 MB. */
export const maxGgufHeaderBytes = 128 * 2 ** 20;
/** A safetensors header: 65,536 tensors of 256 bytes each; the library's own limit is 100 MB. Metadata may hold more JSON as text. */
export const safetensorsHeaderBounds: JsonBounds = {
  bytes: 16 * 2 ** 20,
  depth: 8,
  containers: 2 ** 18,
  commas: 2 ** 20,
};
/** tokenizer.json: the largest in use has about 35 MB, half a million merges among them. */
export const tokenizerBounds: JsonBounds = { bytes: 128 * 2 ** 20, depth: 64, containers: 2 ** 22, commas: 2 ** 24 };
/** tokenizer_config.json and the index of shards: the largest in use have about 1 MB. */
export const tableBounds: JsonBounds = { bytes: 32 * 2 ** 20, depth: 32, containers: 2 ** 18, commas: 2 ** 20 };
/** config.json and generation_config.json have a few kilobytes; labels of classifiers make some longer. */
export const configBounds: JsonBounds = { bytes: 2 ** 20, depth: 32, containers: 2 ** 12, commas: 2 ** 16 };
/** Tensors in one file. Dense models have about a dozen per block. */
export const maxTensors = 65_536;
/** Metadata keys of a GGUF file. Files in use have fewer than 100. */
export const maxMetadataKeys = 4_096;
/** Elements of one GGUF metadata array. The largest in use are merges, about half a million. */
export const maxMetadataArrayLength = 2 ** 22;
/** Bytes of a tensor or metadata name. ggml allows 64 for tensors; Hugging Face names are longer. */
export const maxNameBytes = 512;
/** Dimensions of a tensor: ggml's own limit. */
export const maxDimensions = 4;
/** Elements of one tensor: 2^40 float32 are 4 TB. Keeps every byte count a safe integer. */
export const maxTensorElements = 2 ** 40;
/** Shard files of one checkpoint. */
export const maxShards = 1_024;

/** Largest sizes that a model configuration may name; each about ten times the largest in use. */
export const maxDModel = 2 ** 17;
export const maxBlocks = 2 ** 10;
export const maxHeads = 2 ** 11;
export const maxHeadDim = 2 ** 12;
export const maxMlpWidth = 2 ** 20;
export const maxVocabularySize = 2 ** 22;
export const maxContextLength = 2 ** 27;
