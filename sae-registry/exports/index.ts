export * from './label-file.ts';
