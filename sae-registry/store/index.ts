export * from './added-sources.ts';
export * from './artifacts.ts';
export * from './open-store.ts';
export * from './sources.ts';
