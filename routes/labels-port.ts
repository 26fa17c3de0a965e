/** The port of labels: files of them, and single ones. */

/** What became of a label file. */
export interface LabelImport {
  readonly added: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly badLines: number;
  /** The first of the lines that were left out. */
  readonly bad: readonly { readonly line: number; readonly reason: string }[];
}

/** A label that somebody writes by hand. */
export interface HandLabel {
  readonly text: string;
  readonly author: string;
  readonly clarity: number | null;
}

export interface LabelService {
  /**
   * Adds one label, of the method `manual`, to a feature; false where it was there. Throws model_not_found, source_not_found,
   * feature_not_found.
   */
  add(model: string, source: string, index: string, label: HandLabel): boolean;
  /** Pieces of a label file (JSON lines), read as they are taken. Throws model_not_found, source_not_found. */
  export(model: string, source: string): Iterable<string>;
  /** Adds a label file's labels, all good lines at once. `method` and `author` hold where lines do not say. Throws as `export`. */
  import(
    model: string,
    source: string,
    chunks: AsyncIterable<Uint8Array>,
    options: { readonly origin: string; readonly method: string; readonly author: string },
  ): Promise<LabelImport>;
}
