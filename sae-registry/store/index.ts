export * from './artifacts.ts';
export * from './examples.ts';
export * from './jobs.ts';
export * from './labels.ts';
export * from './open-store.ts';
export * from './sources.ts';
export * from './staged-labels.ts';
export * from './statistics.ts';
