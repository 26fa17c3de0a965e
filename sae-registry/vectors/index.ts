export { type Combination, combineVectors, type VectorTerm } from './combine.ts';
export { cosineOf, type NamedVector, type PlaceSimilarity, similarityOf } from './similarity.ts';
export { readVectorFile, type VectorFile } from './vector-file.ts';
