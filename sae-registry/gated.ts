import type { DictionaryWeights } from './dictionary-weights.ts';
import { type FeatureVectors, scaledVectors } from './feature-vectors.ts';

export interface GatedWeights {
  readonly encoder: FeatureVectors;
  /** [features] */
  readonly gateBias: Float32Array;
  /** [features] */
  readonly magnitudeBias: Float32Array;
  /** Logarithm of the factor between gate and magnitude, [features]. */
  readonly logMagnitude: Float32Array;
}

/**
 * A gated encoder, f = [π + gateBias > 0] · max(e^r·π + magnitudeBias, 0) with π = x̃·encoder, as the JumpReLU that it is: p = e^r·π +
 * magnitudeBias exceeds magnitudeBias − e^r·gateBias exactly where the gate is open.
 */
export function gatedAsJumpReLU(
  gated: GatedWeights,
): Pick<DictionaryWeights, 'encoder' | 'encoderBias' | 'activation'> {
  const factors = gated.logMagnitude.map(Math.exp);
  const thresholds = gated.magnitudeBias.map((bias, i) => bias - factors[i] * gated.gateBias[i]);
  return {
    encoder: scaledVectors(gated.encoder, factors),
    encoderBias: gated.magnitudeBias,
    activation: { kind: 'jumprelu', thresholds },
  };
}
