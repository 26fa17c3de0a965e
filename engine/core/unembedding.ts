/**
 * What vectors go through on their way to logits:
 *
 * - `stream`: values of the residual stream: the final norm, the unembedding, the soft cap where the model has one (the logit lens,
 *   nostalgebraist 2020);
 * - `normalised`: values of `ln_final.hook_normalized`: the norm's gain (and bias), the unembedding, the soft cap;
 * - `direction`: directions of the stream: the norm's gain and the unembedding, with no division, no bias and no cap, so that what comes
 *   out is linear in them (a layer norm's mean is taken off).
 */
export type UnembeddingKind = 'stream' | 'normalised' | 'direction';

/** Most vectors that are turned into logits at once: about what a step that decodes takes, for whoever waits behind it. */
export const mostUnembedded = 32;
