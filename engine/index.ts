/** The engine's door: src comes in here, nobody else needs to. */
export * from './core/index.ts';
export { createEngine, type EngineOptions } from './engine.ts';
export { type LoadedModel, type LoadModelOptions, loadModel } from './load-model.ts';
export { type ModelNeeds, modelNeeds, possiblePrecisions } from './model-needs.ts';
export { createPrefixSharing } from './prefix-sharing.ts';
export { type CompiledEdit, compileEdits, mergeReports, sameTarget } from './steering/index.ts';
