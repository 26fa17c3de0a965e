import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { type CachePart, prepareCacheFile } from './cache-file.ts';
import type { Checkpoint, TensorLocation } from './checkpoint.ts';
import { blockWidth, type FourBitBlocks } from './four-bit-blocks.ts';

/** Where the three arrays of a four-bit matrix (FourBitBlocks) lie, ready to be mapped. */
export interface FourBitLocation {
  /** uint8 [rows, width / 32, 16] */
  readonly quants: TensorLocation;
  /** float32 [rows, width / 32] */
  readonly scales: TensorLocation;
  readonly offsets: TensorLocation;
}

const formatVersion = 1;
const arrays = ['quants', 'scales', 'offsets'] as const;

interface BlockPart extends CachePart {
  readonly weight: string;
  readonly array: (typeof arrays)[number];
}

/**
 * The linear layers' weights that the checkpoint holds as four-bit blocks, laid out for MatMulNBits in a cache file
 * `weights/<hash>.q4.v1.bin` (cache-file.ts). Empty where it holds none. Throws `disk_full`.
 */
export async function prepareFourBitWeights(
  checkpoint: Checkpoint,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<ReadonlyMap<string, FourBitLocation>> {
  const parts = blockParts(checkpoint);
  if (parts.length === 0) return new Map();
  const { cacheDirectory, onProgress } = options;
  const hash = await checkpoint.contentHash({ cacheDirectory });
  let current: { readonly weight: string; readonly blocks: FourBitBlocks | null } | null = null;
  const locations = await prepareCacheFile({
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.q4.v${formatVersion}`,
    formatVersion,
    hash,
    parts,
    label: 'Laying out four-bit weights',
    onProgress,
    write: async ({ weight, array }, file) => {
      if (current?.weight !== weight) current = { weight, blocks: await checkpoint.readFourBitBlocks(weight) };
      const values = current.blocks?.[array];
      if (values) await file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    },
  });
  const at = (part: BlockPart) => locations.get(part.name) as TensorLocation;
  const weights = new Map<string, FourBitLocation>();
  for (let i = 0; i < parts.length; i += arrays.length) {
    const [quants, scales, offsets] = parts.slice(i, i + arrays.length) as [BlockPart, BlockPart, BlockPart];
    weights.set(quants.weight, { quants: at(quants), scales: at(scales), offsets: at(offsets) });
  }
  return weights;
}

/** Three parts a matrix. The embedding is left out: it is read row by row, and the unembedding shares it. */
function blockParts(checkpoint: Checkpoint): BlockPart[] {
  return [...checkpoint.tensors.values()]
    .filter(({ name, type, shape }) => type === 'Q4_1' && shape.length === 2 && name.startsWith('model.layers.'))
    .flatMap(({ name: weight, shape: [rows = 0, width = 0] }) => {
      const perRow = width / blockWidth;
      return arrays.map((array) => ({
        name: `${weight}.${array}`,
        weight,
        array,
        shape: array === 'quants' ? [rows, perRow, blockWidth / 2] : [rows, perRow],
        byteLength: rows * perRow * (array === 'quants' ? blockWidth / 2 : 4),
      }));
    });
}
