import { createHash } from 'node:crypto';
import { eachJsonLine } from '../json-lines.ts';
import { fromLabelLine, type LabelDefaults, labelLineSchema } from '../label-line.ts';
import {
  addArtifact,
  type KnownSource,
  type LabelCounts,
  type NewLabel,
  type Store,
  stageLabels,
  writeStore,
} from '../store/index.ts';

const batch = 500;
/** Bad lines that are told one by one; more are counted. */
const toldLines = 100;

/** A line that was left out, and why. */
export interface BadLine {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

export interface LabelImport extends LabelCounts {
  /** The first of the lines that were left out. */
  readonly bad: readonly BadLine[];
  /** How many were left out. */
  readonly badLines: number;
}

export interface LabelImportOptions {
  /** Where the file comes from: its path or address. */
  readonly origin: string;
  /** Of labels whose lines do not say. */
  readonly defaults: LabelDefaults;
}

/**
 * Writes the labels of a label file (JSON lines) down as a source's: all good lines at once, or none where it is cut off. Bad
 * lines are left out and told.
 */
export async function importLabels(
  store: Store,
  source: Pick<KnownSource, 'key' | 'features'>,
  chunks: AsyncIterable<Uint8Array>,
  { origin, defaults }: LabelImportOptions,
): Promise<LabelImport> {
  const staged = stageLabels(store);
  const hash = createHash('sha256');
  let bytes = 0;
  const watched = async function* () {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const bad: BadLine[] = [];
  let badLines = 0;
  const refuse = (line: number, reason: string) => {
    badLines++;
    if (bad.length < toldLines) bad.push({ line, reason });
  };
  try {
    let labels: NewLabel[] = [];
    for await (const { number, value, reason } of eachJsonLine(watched(), labelLineSchema)) {
      if (reason !== null) refuse(number, reason);
      else if (value.index >= source.features) {
        refuse(number, `has feature ${value.index}; the source's features are 0 to ${source.features - 1}.`);
      } else labels.push(fromLabelLine(value, defaults));
      if (labels.length < batch) continue;
      staged.add(labels);
      labels = [];
      // a file is no reason to keep others waiting
      await new Promise(setImmediate);
    }
    staged.add(labels);
    const counts = writeStore(store, (db) => {
      const artifact = addArtifact({ db }, { kind: 'labels', origin, hash: hash.digest('hex'), bytes });
      return staged.commit(source.key, artifact);
    });
    return { ...counts, bad, badLines };
  } finally {
    staged.close();
  }
}
