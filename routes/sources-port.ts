/** A loaded dictionary, as the routes tell of it. */
export interface SourceCard {
  /** `model/name` */
  readonly id: string;
  readonly model: string;
  readonly name: string;
  readonly hookPoint: string;
  /** Where it reads, of a transcoder; null where that is where it writes. */
  readonly hookPointIn: string | null;
  readonly kind: string;
  readonly activation: string;
  readonly features: number;
  readonly widthRead: number;
  readonly widthWritten: number;
  /** sha256 of its files. */
  readonly hash: string;
  /** What it was opened from. */
  readonly origin: string | null;
  /** Memory that its arrays hold now. */
  readonly residentBytes: number;
  /** Whether `set`, `pin` and the like can read its features; whether steering can write them. */
  readonly reads: boolean;
  readonly writes: boolean;
  readonly statisticsVersion: string | null;
  readonly medianStreamNorm: number | null;
  readonly sinkNorm: number | null;
  readonly varianceExplained: number | null;
  readonly l0: number | null;
  readonly tokensTrained: number | null;
  readonly license: string | null;
}

/** A published release of dictionaries; fields that are empty or null are not confirmed. */
export interface CatalogRelease {
  readonly release: string;
  readonly repository: string;
  readonly model: string;
  readonly format: string;
  readonly dictionaries: number;
  readonly layers: readonly number[];
  readonly widths: readonly string[];
  readonly hookPoints: readonly string[];
  /** What `tiller sae add` takes, of some of its dictionaries. */
  readonly examples: readonly string[];
  /** Made on a stream whose writers were centred: each token's mean is taken off. */
  readonly centred: boolean;
  readonly licence: string;
  /** Why it is not read yet. */
  readonly unsupported: string | null;
}

export interface SourceService {
  /** Of every loaded model, or one. Throws model_not_found, not_ready. */
  list(model: string | null): readonly SourceCard[];
  /** Throws model_not_found, source_not_found, not_ready. */
  get(model: string, source: string): SourceCard;
  /** Releases in which every word occurs. Touches no network. */
  catalog(words: string): readonly CatalogRelease[];
}
