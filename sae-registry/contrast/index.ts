export { type Auroc, auroc, confidence } from './auroc.ts';
export { bagOfWords } from './bag-of-words.ts';
export {
  type Classes,
  type ContrastDirection,
  type ContrastMethod,
  contrastDirection,
  contrastMethods,
  isPaired,
} from './directions.ts';
export {
  contrastFeatures,
  type FeatureContrast,
  type FeatureRanking,
  featureRankings,
} from './feature-contrast.ts';
export { assignFolds, type FoldItem } from './folds.ts';
export { aurocOf, effectSize, type HeldOut, heldOut, heldOutWithin, type ItemSamples } from './held-out.ts';
export { denseRows, type Rows, type SparseRow, sparseRows } from './rows.ts';
export { aurocOfChoosing, type PlaceScores } from './select-place.ts';
