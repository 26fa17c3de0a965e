import type { OperatorSet } from '../core/operators.ts';
import type { Precision } from '../core/precision.ts';
import type { Checkpoint } from './checkpoint.ts';
import { int8TileShapes } from './int8-tile-layout.ts';
import { groupShape, linearGroups } from './linear-groups.ts';
import { blockForms, type LinearForm, tileForms } from './stored-linears.ts';
import { elementCount, type TensorType } from './tensor.ts';
import { tileInputs, tileShapes } from './tile-layout.ts';
import { tileBits } from './write-tiles.ts';

/** A group of linear layers that are stored as one matrix (linear-groups.ts), and how the checkpoint holds them. */
export interface LinearSize {
  readonly outputs: number;
  readonly width: number;
  /** Null where its matrices are of several types. */
  readonly type: TensorType | null;
}

/** Sizes of a model's weights, in numbers. */
export interface WeightSizes {
  /** The unembedding among them, the embedding matrix itself where the two are tied. */
  readonly linears: readonly LinearSize[];
  /** Read by rows, as float32. */
  readonly embedding: number;
  /** Norms, biases, learned positions: read as float32. */
  readonly rest: number;
}

/** Memory that loaded weights take at most. Bytes. */
export interface WeightMemory {
  /** Of files, read where they lie: the system may take these pages back, and reads them again when they are needed. */
  readonly mapped: number;
  /** Of those, the embedding's: only rows of tokens that occur come into memory. */
  readonly embedding: number;
  /** Copies that ONNX Runtime packs for itself: they stay. Their originals are let go once they are made. */
  readonly packed: number;
}

/** What ONNX Runtime 1.30 packs, over the bytes that it is given: measured with the default model, as blocks its largest. */
const packedOver: Readonly<Record<'float32' | 'int8' | 'blocks4' | 'blocks8', number>> = {
  float32: 1,
  int8: 1.06,
  blocks4: 1.25,
  blocks8: 1.25,
};

/** From the headers of a checkpoint alone. */
export function weightSizes({ config, tensors }: Pick<Checkpoint, 'config' | 'tensors'>): WeightSizes {
  const linear = new Set<string>();
  const linears = linearGroups(config).map((group): LinearSize => {
    for (const name of group.weights) linear.add(name);
    const [type = null, ...others] = new Set(group.weights.map((name) => tensors.get(name)?.type));
    return { ...groupShape(group, tensors), type: others.length === 0 ? type : null };
  });
  let rest = 0;
  for (const { name, shape } of tensors.values()) {
    if (!linear.has(name) && name !== embeddingName) rest += elementCount(shape);
  }
  return { linears, embedding: elementCount(tensors.get(embeddingName)?.shape ?? []), rest };
}

const embeddingName = 'model.embed_tokens.weight';

/**
 * What the weights take once they are loaded in a precision with a set of operators: what precision.ts `prepareLinears` prepares of
 * them, and how graphs read that. An upper estimate: all of what is mapped is counted. Where a processor has no fast 8-bit products
 * Tiller's own set leaves int8 to ONNX Runtime, which packs 6 % more than is counted here as mapped.
 */
export function weightMemory(sizes: WeightSizes, precision: Precision, operators: OperatorSet): WeightMemory {
  const embedding = sizes.embedding * 4;
  let mapped = embedding + sizes.rest * 4;
  let packed = 0;
  for (const linear of sizes.linears) {
    for (const form of linearForms(linear, precision, operators)) {
      const bytes = form === 'float32' ? linear.outputs * linear.width * 4 : formBytes(form, linear);
      if (isPacked(form)) packed += bytes * packedOver[form];
      else mapped += bytes;
    }
  }
  return { mapped, embedding, packed: Math.ceil(packed) };
}

/** The forms that a group is kept in: one, but for ONNX Runtime's operators in f32, which read four-bit blocks in steps of one token. */
function linearForms(linear: LinearSize, precision: Precision, operators: OperatorSet): (LinearForm | 'float32')[] {
  if (precision === 'int8') return [operators === 'tiller' ? 'int8tiles' : 'int8'];
  const type = linear.type ?? 'F32';
  if (operators === 'tiller') return [(linear.width % tileInputs === 0 && tileForms[type]) || 'float32'];
  if (precision === 'blocks') return [blockForms[type] ?? 'float32'];
  return blockForms[type] === 'blocks4' ? ['float32', 'blocks4'] : ['float32'];
}

/** Whether ONNX Runtime packs a copy of weights in this form; Tiller's own operators read theirs where they lie. */
export function isPacked(form: LinearForm | 'float32'): form is keyof typeof packedOver {
  return form in packedOver;
}

/** Bytes of a group's arrays in a cache file (stored-linears.ts). */
export function formBytes(form: LinearForm, { outputs, width }: LinearSize): number {
  const perBlock = (quants: number, numbers: number) => Math.ceil(width / 32) * outputs * (quants + 4 * numbers);
  switch (form) {
    case 'int8tiles': {
      const shapes = int8TileShapes(outputs, width);
      return elementCount(shapes.tiles) + 2 * 4 * elementCount(shapes.scales);
    }
    case 'int8':
      return outputs * width + outputs * 4;
    case 'blocks4':
      return perBlock(16, 2);
    case 'blocks8':
      return perBlock(32, 1);
    case 'tiles4':
    case 'tiles4m':
    case 'tiles8':
    case 'tiles16': {
      const shapes = tileShapes(outputs, width, tileBits[form]);
      const numbers = { tiles4: 1, tiles4m: 2, tiles8: 1, tiles16: 0 }[form];
      return elementCount(shapes.tiles) + numbers * 2 * elementCount(shapes.scales);
    }
  }
}
