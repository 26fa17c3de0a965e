/** The engine's door: src comes in here, nobody else needs to. */
export * from './core/index.ts';
export { createEngine, type EngineOptions } from './engine.ts';
export { greedyRequest } from './greedy-request.ts';
export { inParallelPatiently } from './in-parallel-patiently.ts';
export { defaultUnembeddingBytes, keepUnembedding } from './kept-unembedding.ts';
export { type LoadedModel, type LoadModelOptions, loadModel } from './load-model.ts';
export { type ModelNeeds, modelNeeds, possiblePrecisions } from './model-needs.ts';
export { type PatchedLogits, type PatchingOptions, patchActivations } from './patch-activations.ts';
export { patchedTokens, tappedPlaces } from './patch-starts.ts';
export { createPrefixSharing } from './prefix-sharing.ts';
export { tellPosition } from './prompt-logits.ts';
export { type ReadingOptions, readActivations, type SequenceReading } from './read-activations.ts';
export { askForShortSlices } from './runtime/index.ts';
export {
  type CompiledEdit,
  type CompiledRules,
  compileEdits,
  compileRules,
  mergeReports,
  refuseRule,
  sameTarget,
} from './steering/index.ts';
export { openUnembedding, type Unembedding } from './unembedding.ts';
