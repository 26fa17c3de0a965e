export * from './control-vector.ts';
export * from './label-file.ts';
export { type SaelensPlace, writeSaelensFolder } from './saelens-folder.ts';
