import type { SourceFacts } from '../../../sae-registry/store/index.ts';

/** What a loader would say of a small dictionary. */
export function sourceFacts(changes: Partial<SourceFacts> = {}): SourceFacts {
  return {
    model: 'tiny-model',
    name: 'res',
    hookPoint: 'blocks.1.hook_resid_post',
    hookPointOut: null,
    layer: 1,
    kind: 'autoencoder',
    activation: 'jumprelu',
    features: 24,
    dIn: 16,
    dOut: 16,
    hash: 'a'.repeat(64),
    path: '/saes/res',
    ...changes,
  };
}
