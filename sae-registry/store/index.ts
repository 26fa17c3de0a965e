export * from './artifacts.ts';
export * from './open-store.ts';
export * from './sources.ts';
