export type { Checkpoint, GgufTokenizer, TensorLocation, TokenizerFiles } from './checkpoint.ts';
export { blockWidth, type FourBitBlocks } from './four-bit-blocks.ts';
export { type FourBitLocation, prepareFourBitWeights } from './four-bit-file.ts';
export { namedTokens } from './huggingface-files.ts';
export { openCheckpoint } from './open-checkpoint.ts';
export type { TensorInfo, TensorPiece, TensorType } from './tensor.ts';
export { openTensorFile, type TensorFile } from './tensor-file.ts';
export { prepareFloat32Weights, type WeightsFile } from './weights-file.ts';
