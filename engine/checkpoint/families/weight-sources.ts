import type { ModelConfig } from '../../core/index.ts';
import { decoderShapes } from '../decoder-shapes.ts';
import type { TakenFrom } from '../tensor.ts';
import type { ModuleSource, WeightNames } from './family.ts';

/** Where one weight of decoder-shapes.ts lies in a family's files. */
export interface SourceTensor {
  readonly shape: readonly number[];
  /** Name and shape of the file's tensor. */
  readonly from: string;
  readonly storedShape: readonly number[];
  /** How the weight is taken out of that; null where it is that. */
  readonly taken: TakenFrom | null;
}

/** Every weight of a decoder, by the graph's name. */
export function sourceTensors(names: WeightNames, config: ModelConfig): Map<string, SourceTensor> {
  const sources = new Map<string, SourceTensor>();
  for (const [name, shape] of decoderShapes(config)) {
    const { source, from } = sourceOf(names, name);
    const { storedShape, taken } = layoutOf(source, shape, config);
    sources.set(name, { shape, from, storedShape, taken });
  }
  return sources;
}

/** What the family's files call a weight. */
export function sourceName(names: WeightNames, name: string): string {
  return sourceOf(names, name).from;
}

function sourceOf(
  { modules, blocks }: WeightNames,
  name: string,
): { readonly source: ModuleSource; readonly from: string } {
  const end = name.lastIndexOf('.');
  const [module, kind] = [name.slice(0, end), name.slice(end)];
  const match = /^model\.layers\.(\d+)\.(.+)$/.exec(module);
  const inBlock = match?.[2] ?? module;
  const source = Object.hasOwn(modules, inBlock) ? modules[inBlock] : { from: inBlock };
  return { source, from: match ? `${blocks}.${match[1]}.${source.from}${kind}` : `${source.from}${kind}` };
}

function layoutOf({ part, transposed = false, plus = 0 }: ModuleSource, shape: readonly number[], config: ModelConfig) {
  const [rows = 0, ...width] = shape;
  const turned = transposed && shape.length === 2;
  const all = [rows * (part?.of ?? 1), ...width];
  const storedShape = turned ? all.reverse() : all;
  if (!part && !turned && plus === 0) return { storedShape, taken: null };
  const count = part?.turns === 'head' ? config.headDim : rows;
  const runs = { first: (part?.index ?? 0) * count, count, every: (part?.of ?? 1) * count };
  return { storedShape, taken: { storedShape, transposed: turned, runs, plus } };
}
