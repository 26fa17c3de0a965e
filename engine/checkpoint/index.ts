export { hasBlocks, prepareBlockWeights } from './blocks-file.ts';
export type { Checkpoint, GgufTokenizer, TensorLocation, TokenizerFiles } from './checkpoint.ts';
export { blockWidth, type FourBitBlocks } from './four-bit-blocks.ts';
export { namedTokens } from './huggingface-files.ts';
export { prepareInt8Weights } from './int8-file.ts';
export { int8TileShapes } from './int8-tile-layout.ts';
export { prepareInt8Tiles } from './int8-tiles-file.ts';
export { type LinearGroup, linearGroups, unembeddingGroup } from './linear-groups.ts';
export { openCheckpoint } from './open-checkpoint.ts';
export {
  type LinearForm,
  noStoredLinears,
  type StoredArray,
  type StoredLinears,
  type TileForm,
  unreadWeights,
} from './stored-linears.ts';
export { elementCount, type TensorInfo, type TensorPiece, type TensorType } from './tensor.ts';
export { openTensorFile, type TensorFile } from './tensor-file.ts';
export { tileShapes } from './tile-layout.ts';
export { commonTileForm, prepareTileWeights } from './tiles-file.ts';
export { prepareFloat32Weights, type WeightsFile } from './weights-file.ts';
export { tileBits } from './write-tiles.ts';
