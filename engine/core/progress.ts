/** Progress of a long job (a download, a dequantisation), told to whoever draws it. */
export interface Progress {
  readonly label: string;
  readonly done: number;
  /** Null where unknown. */
  readonly total: number | null;
  readonly unit: 'bytes' | 'tensors' | 'items';
}

export type ProgressListener = (progress: Progress) => void;
