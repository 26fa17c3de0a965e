export * from './bundled.ts';
export * from './dictionary.ts';
export * from './feature-shapes.ts';
export * from './loaders/saelens.ts';
export * from './model-facts.ts';
export * from './registry.ts';
export * from './source.ts';
export * from './stream-norms.ts';
