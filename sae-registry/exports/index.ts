export * from './control-vector.ts';
export * from './label-file.ts';
export { type SaelensPlace, writeSaelensFolder } from './saelens-folder.ts';
export { type Float32Tensor, writeSafetensors } from './safetensors-file.ts';
