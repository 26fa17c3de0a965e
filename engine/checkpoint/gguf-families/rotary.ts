import type { RotaryEmbedding } from '../../core/index.ts';
import type { GgufFile } from './gguf-file.ts';

/** Base where a file does not name one: llama.cpp's own. */
const defaultBase = 10_000;

/**
 * The rotary embedding of an architecture that rotates the first `dimensions` of a head. Linear scaling is named in the metadata;
 * Llama 3.1's comes as a tensor of what each frequency is divided by.
 */
export function rotaryOf(file: GgufFile, dimensions: number): RotaryEmbedding {
  const base = file.number('rope.freq_base') ?? defaultBase;
  const divisors = file.rotaryDivisors();
  const linear = linearFactor(file);
  if (divisors === null) {
    return { dimensions, base, scaling: linear === null ? null : { kind: 'linear', factor: linear } };
  }
  if (linear !== null) throw file.unsupported("linear rotary scaling beside tensor 'rope_freqs.weight'");
  if (divisors.length !== dimensions / 2) {
    throw file.invalid(
      `tensor 'rope_freqs.weight' has ${divisors.length} divisors for ${dimensions} rotated dimensions`,
    );
  }
  const bad = divisors.find((divisor) => !(divisor > 0 && Number.isFinite(divisor)));
  if (bad !== undefined) throw file.invalid(`tensor 'rope_freqs.weight' divides by ${bad}`);
  return { dimensions, base, scaling: { kind: 'divided', divisors } };
}

function linearFactor(file: GgufFile): number | null {
  const kind = file.string('rope.scaling.type') ?? 'none';
  if (kind !== 'none' && kind !== 'linear') throw file.unsupported(`${file.architecture}.rope.scaling.type (${kind})`);
  const factor = file.number('rope.scaling.factor') ?? 1;
  if (kind === 'none' ? factor === 0 || factor === 1 : factor === 1) return null;
  if (kind === 'none') throw file.unsupported(`${file.architecture}.rope.scaling.factor (${factor}) without a type`);
  if (factor > 0 && Number.isFinite(factor)) return factor;
  throw file.invalid(`${file.architecture}.rope.scaling.factor is ${factor}`);
}
