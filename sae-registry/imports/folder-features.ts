import { examplesOfLine, type FeatureLine, featureLineSchema, figuresOf } from '../feature-line.ts';
import { readJsonLines } from '../json-lines.ts';
import { sourceInvalid } from '../source-error.ts';
import {
  addArtifact,
  type KnownSource,
  type Store,
  writeExamples,
  writeStatistics,
  writeStore,
} from '../store/index.ts';
import { type NewFolderFile, newFolderFile } from './folder-file.ts';

/** Features that are written together: other writers wait no longer than for these. */
const batch = 1000;

/** A file up to this size is parsed once and held in memory between check and writing. */
const heldBytes = 16 * 2 ** 20;

/**
 * Reads `features.jsonl` of a source's folder into the store, unless that has been done. It is checked from beginning to end
 * before its first line is written, then written in pieces; what was cut off is read again at the next opening. Figures of an
 * earlier form of the file go. Throws `source_invalid` for a malformed line, an index out of range or given twice.
 */
export async function importFolderFeatures(
  store: Store,
  source: Pick<KnownSource, 'key' | 'features'>,
  folder: string,
  cardVersion: number | string | undefined,
): Promise<void> {
  const file = await newFolderFile(store, source.key, folder, 'features.jsonl');
  if (file === null) return;
  const held = await checkFile(file, source.features);
  const artifact = addArtifact(store, { kind: 'features', origin: file.path, hash: file.hash, bytes: file.bytes });
  const origin = { source: source.key, version: `${cardVersion ?? 0}-${file.hash.slice(0, 12)}`, artifact };
  const lines: FeatureLine[] = [];
  const write = () => {
    writeStore(store, () => {
      writeStatistics(store, origin, lines.map(figuresOf));
      writeExamples(
        store,
        origin,
        lines.map((line) => [line.index, examplesOfLine(line)]),
      );
    });
    lines.length = 0;
  };
  for await (const line of held ?? readJsonLines(file.path, featureLineSchema)) {
    lines.push(line);
    if (lines.length === batch) write();
  }
  write();
  finish(store, source.key, artifact, file);
}

/** Checks every line; returns them where the file is small enough to be held. */
async function checkFile({ path, bytes }: NewFolderFile, features: number): Promise<readonly FeatureLine[] | null> {
  const seen = new Uint8Array(features);
  const held: FeatureLine[] | null = bytes <= heldBytes ? [] : null;
  for await (const line of readJsonLines(path, featureLineSchema)) {
    if (line.index >= features) {
      throw sourceInvalid(`${path} has feature ${line.index}; the dictionary has ${features}.`);
    }
    if (seen[line.index] === 1) throw sourceInvalid(`${path} has feature ${line.index} twice.`);
    seen[line.index] = 1;
    held?.push(line);
  }
  return held;
}

function finish(store: Store, source: number, artifact: number, file: NewFolderFile): void {
  writeStore(store, () => {
    if (file.earlier !== null && file.earlier !== artifact) {
      for (const table of ['statistics', 'examples']) {
        store.connection.prepare(`delete from ${table} where source = ? and artifact = ?`).run(source, file.earlier);
      }
    }
    file.done(artifact);
  });
}
