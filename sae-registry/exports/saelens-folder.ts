import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DictionaryWeights } from '../dictionary-weights.ts';
import { saelensForm } from './saelens-form.ts';
import { type Float32Tensor, writeSafetensors } from './safetensors-file.ts';

/** Features that are turned at a time where a matrix lies the other way. */
const piece = 4096;

/** What cfg.json is told besides the weights. */
export interface SaelensPlace {
  readonly modelName: string | null;
  readonly hookPoint: string;
  /** Where a transcoder writes; null of an autoencoder. */
  readonly hookPointOut: string | null;
}

/**
 * Writes a dictionary as a folder that SAELens 6 loads (`SAE.load_from_disk`): cfg.json and sae_weights.safetensors, float32. Factors
 * on inputs, biases on inputs and norms of decoders that SAELens has no words for are multiplied into the weights. Throws
 * `source_unsupported` for what SAELens cannot compute.
 */
export async function writeSaelensFolder(
  folder: string,
  weights: DictionaryWeights,
  place: SaelensPlace,
): Promise<void> {
  const { config, factors, tensors } = saelensForm(weights, place);
  const { encoder, decoder, inputBias, inputScale } = weights;
  const [features, dIn, dOut] = [encoder.features, encoder.width, decoder.width];
  const each = (write: (first: number, count: number) => void) => {
    for (let first = 0; first < features; first += piece) write(first, Math.min(piece, features - first));
  };
  const scale = (j: number) => inputScale * (factors?.[j] ?? 1);
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'sae_weights.safetensors'), {
    W_enc: {
      shape: [dIn, features],
      write: (put) =>
        each((first, count) => {
          const rows = encoder.read(first, count);
          for (let i = 0; i < dIn; i++) {
            const column = new Float32Array(count);
            for (let j = 0; j < count; j++) column[j] = (rows[j * dIn + i] as number) * scale(first + j);
            put(column, i * features + first);
          }
        }),
    },
    b_enc: {
      shape: [features],
      write: (put) =>
        each((first, count) => {
          const rows = encoder.read(first, count);
          const bias = new Float32Array(count);
          for (let j = 0; j < count; j++) {
            let sum = weights.encoderBias[first + j] as number;
            if (inputBias !== null && !config.apply_b_dec_to_input) {
              for (let i = 0; i < dIn; i++) sum -= (inputBias[i] as number) * (rows[j * dIn + i] as number);
            }
            bias[j] = sum * (factors?.[first + j] ?? 1);
          }
          put(bias, first);
        }),
    },
    W_dec: {
      shape: [features, dOut],
      write: (put) =>
        each((first, count) => {
          const rows = Float32Array.from(decoder.read(first, count));
          for (let j = 0; j < count; j++) {
            const divisor = scale(first + j);
            for (let i = 0; i < dOut; i++) rows[j * dOut + i] = (rows[j * dOut + i] as number) / divisor;
          }
          put(rows, first * dOut);
        }),
    },
    b_dec: whole(
      [dOut],
      weights.decoderBias.map((value) => value / inputScale),
    ),
    ...Object.fromEntries(Object.entries(tensors).map(([name, { shape, values }]) => [name, whole(shape, values)])),
  });
  await writeFile(join(folder, 'cfg.json'), `${JSON.stringify(config, null, 2)}\n`);
}

function whole(shape: readonly number[], values: Float32Array): Float32Tensor {
  return { shape, write: (put) => put(values, 0) };
}
