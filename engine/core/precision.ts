/**
 * What linear layers are computed in; everything else (norms, attention, edits, the stream) is float32 always. Keys and values are kept
 * as float32 in f32, and with Tiller's own operators as float16 in the others.
 *
 * | precision | weights                                        | inputs of linear layers                                               |
 * |-----------|------------------------------------------------|-----------------------------------------------------------------------|
 * | f32       | as the checkpoint says                         | float32                                                               |
 * | int8      | rounded to 8 bits, one scale an output channel | rounded to 8 bits, one scale a token                                  |
 * | blocks    | the checkpoint's own blocks, as they are       | float32; with ONNX Runtime's operators rounded to 8 bits, one scale a block |
 */
export const precisions = ['f32', 'int8', 'blocks'] as const;
export type Precision = (typeof precisions)[number];

/** `auto`: chosen by trying this processor (engine/precision.ts `choosePrecision`). */
export const precisionChoices = [...precisions, 'auto'] as const;
export type PrecisionChoice = (typeof precisionChoices)[number];
