/** The port of working with vectors: files, sums, cosines. */
import type { RelatedFeature } from './relations-port.ts';
import type { EditRequest, VectorVersion } from './services.ts';

/** A saved vector, a direction in the request, or a feature's decoder row; exactly one of the two fields. */
export interface VectorReference {
  readonly vector?: EditRequest['vector'];
  readonly feature?: string;
  /** Where it stood. */
  readonly param: string;
}

interface Naming {
  readonly name: string;
  readonly description: string;
}

export interface VectorFileRequest extends Naming {
  /** Safetensors or a control vector (GGUF); its first bytes say which. */
  readonly bytes: Uint8Array;
}

export interface CombineRequest extends Naming {
  readonly terms: readonly (VectorReference & { readonly scale: number; readonly unit: boolean })[];
  readonly orthogonalTo: readonly VectorReference[];
  readonly unit: boolean;
}

export interface SimilarityRequest {
  readonly vectors: readonly VectorReference[];
  /** Features to look for beside each of them; 0: none. */
  readonly nearest: number;
  readonly signal: AbortSignal;
}

/** Cosines at one hook point. */
export interface VectorSimilarity {
  readonly hookPoint: string;
  readonly names: readonly string[];
  readonly norms: readonly number[];
  readonly cosines: readonly (readonly (number | null)[])[];
  /** For each name the features whose decoder rows lie nearest, of either sign; empty where none were asked for. */
  readonly nearest: readonly (readonly NearFeature[])[];
}

export interface NearFeature extends Omit<RelatedFeature, 'value' | 'effectiveThreshold'> {
  readonly cosine: number;
}

/** Work with the vectors of one loaded model. */
export interface VectorWork {
  /** Saves what a file holds as the next version of a name. Throws `invalid_request`, `hook_point_not_found`, `edit_not_applicable`. */
  importFile(request: VectorFileRequest): Promise<VectorVersion>;
  /** Saves a sum of vectors, with where it is from. Throws `vector_not_found`, `feature_not_found`, `edit_not_applicable` where nothing is left. */
  combine(request: CombineRequest): VectorVersion;
  /** Throws `vector_not_found`, `feature_not_found`. */
  similarity(request: SimilarityRequest): Promise<readonly VectorSimilarity[]>;
}
