export * from './label-file.ts';
export { importLabelsOnThread } from './label-file-thread.ts';
export * from './neuronpedia/import.ts';
