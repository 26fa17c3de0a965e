import { TillerError } from '../core/index.ts';
import type { SequentialWriter } from './atomic-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { blockWidth } from './four-bit-blocks.ts';
import { groupShape, type LinearGroup, linearGroups } from './linear-groups.ts';
import { rowRanges } from './row-pieces.ts';
import { prepareStoredLinears, type StoredFile, type StoredOptions, type StoredPart } from './stored-file.ts';
import { type BlockForm, blockForms, type StoredLinears } from './stored-linears.ts';

const formatVersion = 3;
type BlockArray = 'quants' | 'scales' | 'offsets';

const arraysByForm = { blocks4: ['quants', 'scales', 'offsets'], blocks8: ['quants', 'scales'] } as const;

interface BlockNumbers {
  readonly scales: Float32Array | null;
  readonly offsets: Float32Array | null;
}

interface BlockPart extends StoredPart {
  readonly form: BlockForm;
  readonly array: BlockArray;
}

/**
 * The linear layers that the checkpoint holds as blocks of 32, laid out for MatMulNBits in a cache file
 * `weights/<hash>.blocks.v3.bin` (stored-file.ts), their weights unchanged. Empty where it holds none. Throws `disk_full`.
 */
export function prepareBlockWeights(checkpoint: Checkpoint, options: StoredOptions): Promise<StoredLinears> {
  const parts = linearGroups(checkpoint.config).flatMap((group) => blockParts(checkpoint, group));
  /** Of the group whose quants were written last. */
  let numbers: BlockNumbers = { scales: null, offsets: null };
  const write: StoredFile<BlockPart>['write'] = async (part, file, report) => {
    if (part.array === 'quants') {
      numbers = await writeQuants(checkpoint, part, file, report);
      return;
    }
    const values = numbers[part.array];
    if (values) await file.write(new Uint8Array(values.buffer));
  };
  const label = 'Laying out quantised weights';
  return prepareStoredLinears(checkpoint, { kind: 'blocks', formatVersion, label, parts, write }, options);
}

/** Whether any linear layer is held as blocks that can be executed as they are. */
export function hasBlocks(checkpoint: Checkpoint): boolean {
  return linearGroups(checkpoint.config).some((group) => blockParts(checkpoint, group).length > 0);
}

/** A group is stored in one form; one that mixes types stays float32. */
function blockParts(checkpoint: Checkpoint, group: LinearGroup): BlockPart[] {
  const types = group.weights.map((name) => checkpoint.tensors.get(name)?.type);
  const [form, ...others] = new Set(types.map((type) => type && blockForms[type]));
  if (form === undefined || others.length > 0) return [];
  const { outputs: rows, width } = groupShape(group, checkpoint.tensors);
  const perRow = width / blockWidth;
  const quantBytes = form === 'blocks4' ? blockWidth / 2 : blockWidth;
  return arraysByForm[form].map((array) => ({
    name: `${group.name}.${array}`,
    group,
    form,
    array,
    type: array === 'quants' ? 'uint8' : 'float32',
    shape: array === 'quants' ? [rows, perRow, quantBytes] : [rows, perRow],
    byteLength: rows * perRow * (array === 'quants' ? quantBytes : 4),
  }));
}

/**
 * Writes the quants of a group's matrices below each other, a million weights at a time, and gives their scales and offsets, which are
 * written after them.
 */
async function writeQuants(
  checkpoint: Checkpoint,
  { group, form, shape }: BlockPart,
  file: SequentialWriter,
  report: () => void,
): Promise<BlockNumbers> {
  const [rows = 0, perRow = 0] = shape;
  const scales = new Float32Array(rows * perRow);
  const offsets = form === 'blocks4' ? new Float32Array(rows * perRow) : null;
  let at = 0;
  for (const name of group.weights) {
    const [ofMatrix = 0] = checkpoint.tensors.get(name)?.shape ?? [];
    for (const range of rowRanges(ofMatrix, perRow * blockWidth)) {
      const four = form === 'blocks4' ? await checkpoint.readFourBitBlocks(name, range) : null;
      const read = four ?? (await checkpoint.readEightBitBlocks(name, range));
      if (!read) throw new TillerError('internal', `${name} is not stored in blocks.`);
      await file.write(read.quants);
      scales.set(read.scales, at);
      if (four) offsets?.set(four.offsets, at);
      at += read.scales.length;
      report();
    }
  }
  return { scales, offsets };
}
