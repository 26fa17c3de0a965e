import { type Encoder, type EncoderRule, resolveHookPoint } from '../engine/core/index.ts';
import { thresholdOf } from './activation-function.ts';
import { norms } from './decoder-norms.ts';
import type { DictionaryWeights } from './dictionary-weights.ts';
import type { ModelFacts } from './model-facts.ts';
import type { Source } from './source.ts';
import { sourceInvalid } from './source-error.ts';

const made = new WeakMap<Source, Encoder>();

/**
 * A source's dictionary as the engine reads it at full width: the same activations as `Dictionary.encode`, but for rounding. Throws
 * `source_invalid` for a transcoder whose files do not say what it reads.
 */
export function encoderOf(source: Source, model: Pick<ModelFacts, 'blocks' | 'hookPoints'>): Encoder {
  const known = made.get(source);
  if (known) return known;
  const { weights } = source.dictionary;
  const { encoder: vectors, encoderBias: bias, inputBias, inputScale, centred, normalisation } = weights;
  const hookPoint = readHookPoint(source, model);
  const factors = weights.foldDecoderNorms ? norms(weights.decoder).all() : null;
  const encoder: Encoder = {
    key: `${weights.hash} at ${hookPoint}`,
    hookPoint,
    width: vectors.width,
    outputs: vectors.features,
    input: {
      scale: inputScale,
      centred,
      norm: ({ none: 'none', norm: 'root_mean_square', 'layer-norm': 'deviation' } as const)[normalisation.kind],
      epsilon: normalisation.kind === 'layer-norm' ? normalisation.epsilon : 0,
      bias: inputBias,
    },
    rows: (first, count) => vectors.read(first, count),
    piece: vectors.piece,
    bias,
    factors,
    rule: ruleOf(weights, factors),
  };
  made.set(source, encoder);
  return encoder;
}

/** Where it reads, in canonical spelling. */
export function readHookPoint(
  source: Source,
  { blocks, hookPoints }: Pick<ModelFacts, 'blocks' | 'hookPoints'>,
): string {
  const { dictionary, hookPoint, id } = source;
  const read = dictionary.hookPoint ?? (dictionary.kind === 'autoencoder' ? hookPoint : null);
  if (read === null) {
    throw sourceInvalid(`${id} does not say which hook point it reads. Add hook_name to its configuration.`);
  }
  return resolveHookPoint(read, { blocks, hookPoints });
}

function ruleOf({ activation, encoder: { features } }: DictionaryWeights, factors: Float32Array | null): EncoderRule {
  switch (activation.kind) {
    case 'relu':
    case 'jumprelu': {
      const threshold = (j: number) => thresholdOf(activation, j) * (factors?.[j] ?? 1);
      return { kind: 'threshold', thresholds: Float32Array.from({ length: features }, (_, j) => threshold(j)) };
    }
    case 'topk':
      return { kind: 'largest', count: activation.k, rectified: activation.rectified };
    case 'groupmax':
      return { kind: 'largest_of_runs', count: activation.groups };
  }
}
