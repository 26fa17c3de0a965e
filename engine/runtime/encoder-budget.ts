/** What the encoders of a model may take together, where nothing else is said: 1 GiB. Here alone, so that settings need no runtime. */
export const defaultEncoderBytes = 2 ** 30;
