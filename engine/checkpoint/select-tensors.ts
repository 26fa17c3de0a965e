import { TillerError } from '../core/index.ts';
import { elementCount } from './tensor.ts';

/** Faults that a message names; the rest are counted. */
const mostNamed = 10;

/** What a file should hold. */
export interface WantedTensors {
  /** Names in the file → their shapes there. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The model that has no place for anything else, as a message calls it: `the llama family`. */
  readonly owner: string;
  /** Tensors that transformers leaves unused too. */
  isHarmless(name: string): boolean;
}

/**
 * Compares a file's tensors with what its configuration wants. Missing and misshapen ones are `checkpoint_invalid`; ones that the model
 * has no place for are `checkpoint_unsupported`, for a model that ignored them would not be the model. Messages name the first ten.
 */
export function checkTensors(
  path: string,
  wanted: WantedTensors,
  found: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): void {
  const faults: string[] = [];
  for (const [name, shape] of wanted.shapes) {
    const tensor = found.get(name);
    if (tensor === undefined) faults.push(`lacks tensor '${name}'`);
    else if (!equal(tensor.shape, shape)) {
      faults.push(
        `tensor '${name}' has the shape [${tensor.shape.join(', ')}], the configuration wants [${shape.join(', ')}]`,
      );
    }
  }
  if (faults.length > 0) throw new TillerError('checkpoint_invalid', `${path}: ${firstOf(faults)}.`);
  const extra = [...found]
    .filter(([name]) => !wanted.shapes.has(name) && !wanted.isHarmless(name))
    .map(([name, { shape }]) => `'${name}' (${elementCount(shape)} weights)`);
  if (extra.length > 0) {
    const one = extra.length === 1;
    const what = `${one ? 'tensor' : 'tensors'} ${firstOf(extra)} ${one ? 'has' : 'have'} no place in ${wanted.owner}`;
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: ${what}, and ignoring ${one ? 'it' : 'them'} would change the model.`,
    );
  }
}

function firstOf(faults: readonly string[]): string {
  const more = faults.length - mostNamed;
  return faults.slice(0, mostNamed).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
