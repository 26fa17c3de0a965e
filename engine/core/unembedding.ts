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

/**
 * Most vectors that are turned into logits at once. Whoever decodes waits for no more than this between two tokens: of the default model
 * 16 take half as long as a step of one row, 32 more than one.
 */
export const mostUnembedded = 16;
