export * from './label-file.ts';
export * from './neuronpedia/import.ts';
