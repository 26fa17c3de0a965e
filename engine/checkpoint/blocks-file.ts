import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { type CachePart, prepareCacheFile } from './cache-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { blockWidth } from './four-bit-blocks.ts';
import { type LinearGroup, linearGroups } from './linear-groups.ts';
import type { LinearForm, StoredArray, StoredLinears } from './stored-linears.ts';

const formatVersion = 2;
type BlockForm = 'blocks4' | 'blocks8';
type BlockArray = 'quants' | 'scales' | 'offsets';

/** Stored types that are executed as they are. */
const formsByType: Readonly<Record<string, BlockForm>> = { Q4_0: 'blocks4', Q4_1: 'blocks4', Q8_0: 'blocks8' };
const arraysByForm = { blocks4: ['quants', 'scales', 'offsets'], blocks8: ['quants', 'scales'] } as const;

interface BlockPart extends CachePart {
  readonly group: LinearGroup;
  readonly form: BlockForm;
  readonly array: BlockArray;
}

/**
 * The linear layers that the checkpoint holds as blocks of 32, laid out for MatMulNBits in a cache file
 * `weights/<hash>.blocks.v2.bin` (cache-file.ts), their weights unchanged. Empty where it holds none. Throws `disk_full`.
 */
export async function prepareBlockWeights(
  checkpoint: Checkpoint,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<StoredLinears> {
  const parts = linearGroups(checkpoint.config).flatMap((group) => blockParts(checkpoint, group));
  const arrays = new Map<string, StoredArray>();
  const forms = new Map<string, LinearForm>();
  if (parts.length === 0) return { forms, arrays };
  const { cacheDirectory, onProgress } = options;
  const hash = await checkpoint.contentHash({ cacheDirectory });
  let current: { readonly group: LinearGroup; readonly matrices: readonly BlockMatrix[] } | null = null;
  const locations = await prepareCacheFile({
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.blocks.v${formatVersion}`,
    formatVersion,
    hash,
    parts,
    label: 'Laying out quantised weights',
    onProgress,
    write: async ({ group, form, array }, file) => {
      if (current?.group !== group) current = { group, matrices: await readGroup(checkpoint, group, form) };
      for (const matrix of current.matrices) {
        const values = matrix[array];
        if (values) await file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      }
    },
  });
  for (const { name, group, form, array } of parts) {
    const location = locations.get(name);
    if (!location) continue;
    arrays.set(name, { location, type: array === 'quants' ? 'uint8' : 'float32' });
    forms.set(group.name, form);
  }
  return { forms, arrays };
}

/** Whether any linear layer is held as blocks that can be executed as they are. */
export function hasBlocks(checkpoint: Checkpoint): boolean {
  return linearGroups(checkpoint.config).some((group) => blockParts(checkpoint, group).length > 0);
}

/** A group is stored in one form; one that mixes types stays float32. */
function blockParts(checkpoint: Checkpoint, group: LinearGroup): BlockPart[] {
  const infos = group.weights.map((name) => checkpoint.tensors.get(name));
  const [form, ...others] = new Set(infos.map((info) => formsByType[info?.type ?? '']));
  if (form === undefined || others.length > 0) return [];
  const rows = infos.reduce((sum, info) => sum + (info?.shape[0] ?? 0), 0);
  const perRow = (infos[0]?.shape[1] ?? 0) / blockWidth;
  const quantBytes = form === 'blocks4' ? blockWidth / 2 : blockWidth;
  return arraysByForm[form].map((array) => ({
    name: `${group.name}.${array}`,
    group,
    form,
    array,
    shape: array === 'quants' ? [rows, perRow, quantBytes] : [rows, perRow],
    byteLength: rows * perRow * (array === 'quants' ? quantBytes : 4),
  }));
}

type BlockMatrix = Partial<Record<BlockArray, Uint8Array | Float32Array>>;

async function readGroup(checkpoint: Checkpoint, group: LinearGroup, form: BlockForm): Promise<BlockMatrix[]> {
  const matrices: BlockMatrix[] = [];
  for (const name of group.weights) {
    const matrix: BlockMatrix | null =
      form === 'blocks4' ? await checkpoint.readFourBitBlocks(name) : await checkpoint.readEightBitBlocks(name);
    if (matrix) matrices.push(matrix);
  }
  return matrices;
}
