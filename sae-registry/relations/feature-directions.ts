import { norms } from '../decoder-norms.ts';
import type { Dictionary } from '../dictionary.ts';
import type { FeatureVectors } from '../feature-vectors.ts';

/** What one unit of each feature's activation adds to the output: the rows that `Dictionary.feature` gives, many at a time. */
export function decoderDirections({ weights }: Dictionary): FeatureVectors {
  const { decoder, inputScale, foldDecoderNorms } = weights;
  if (inputScale === 1 && !foldDecoderNorms) return decoder;
  const factors = foldDecoderNorms ? norms(decoder) : null;
  return mapped(decoder, (row, index) => {
    const factor = 1 / inputScale / (factors?.of(index) ?? 1);
    for (let i = 0; i < row.length; i++) row[i] *= factor;
  });
}

/** What each feature reads of the input, likewise. */
export function encoderDirections({ weights }: Dictionary): FeatureVectors {
  const { encoder, decoder, inputScale, foldDecoderNorms, centred } = weights;
  if (inputScale === 1 && !foldDecoderNorms && !centred) return encoder;
  const factors = foldDecoderNorms ? norms(decoder) : null;
  return mapped(encoder, (row, index) => {
    const mean = centred ? row.reduce((sum, value) => sum + value, 0) / row.length : 0;
    const factor = inputScale * (factors?.of(index) ?? 1);
    for (let i = 0; i < row.length; i++) row[i] = (row[i] - mean) * factor;
  });
}

function mapped(vectors: FeatureVectors, change: (row: Float32Array, index: number) => void): FeatureVectors {
  const { width } = vectors;
  return {
    ...vectors,
    read(first, count) {
      const rows = vectors.read(first, count).slice();
      for (let j = 0; j < count; j++) change(rows.subarray(j * width, (j + 1) * width), first + j);
      return rows;
    },
  };
}
