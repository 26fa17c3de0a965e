export * from './artifacts.ts';
export * from './open-store.ts';
export * from './profiles.ts';
export * from './saved-name.ts';
export * from './sources.ts';
export * from './vectors.ts';
