import { examplesOfLine, type FeatureLine, featureLineShape, figuresOf } from '../feature-line.ts';
import { readJsonBatches } from '../json-lines.ts';
import { sourceInvalid } from '../source-error.ts';
import {
  addArtifact,
  type KnownSource,
  type Store,
  writeExamples,
  writeRepeatable,
  writeStatistics,
  writeStore,
} from '../store/index.ts';
import { type NewFolderFile, newFolderFile } from './folder-file.ts';

/** Features that are written together, and those that were read with the last of them: other writers wait no longer than for these. */
const batch = 250;

/**
 * Reads `features.jsonl` of a source's folder into the store, unless that has been done. Written in pieces; what was cut off is
 * read again at the next opening. A damaged file leaves nothing: where figures would be replaced it is checked from beginning to
 * end before, else what it brought is taken back. Figures of an earlier form of the file go. Throws `source_invalid` for a
 * malformed line, an index out of range or given twice.
 */
export async function importFolderFeatures(
  store: Store,
  source: Pick<KnownSource, 'key' | 'features'>,
  folder: string,
  cardVersion: number | string | undefined,
): Promise<void> {
  const file = await newFolderFile(store, source.key, folder, 'features.jsonl');
  if (file === null) return;
  const replaces = hasFigures(store, source.key);
  if (replaces) for await (const _ of checkedBatches(file, source.features));
  const artifact = addArtifact(store, { kind: 'features', origin: file.path, hash: file.hash, bytes: file.bytes });
  const origin = { source: source.key, version: `${cardVersion ?? 0}-${file.hash.slice(0, 12)}`, artifact };
  const lines: FeatureLine[] = [];
  const write = () => {
    writeRepeatable(store, () => {
      writeStatistics(store, origin, lines.map(figuresOf));
      writeExamples(
        store,
        origin,
        lines.map((line) => [line.index, examplesOfLine(line)]),
      );
    });
    lines.length = 0;
  };
  try {
    for await (const some of checkedBatches(file, source.features)) {
      lines.push(...some);
      if (lines.length >= batch) write();
    }
    write();
  } catch (error) {
    if (!replaces) writeStore(store, () => forget(store, source.key, artifact));
    throw error;
  }
  writeStore(store, () => {
    if (file.earlier !== null && file.earlier !== artifact) forget(store, source.key, file.earlier);
    file.done(artifact);
  });
}

async function* checkedBatches({ path }: NewFolderFile, features: number): AsyncGenerator<FeatureLine[]> {
  const seen = new Uint8Array(features);
  for await (const lines of readJsonBatches(path, featureLineShape)) {
    for (const { index } of lines) {
      if (index >= features) throw sourceInvalid(`${path} has feature ${index}; the dictionary has ${features}.`);
      if (seen[index] === 1) throw sourceInvalid(`${path} has feature ${index} twice.`);
      seen[index] = 1;
    }
    yield lines;
  }
}

function hasFigures({ connection }: Store, source: number): boolean {
  const sql =
    'select exists (select 1 from statistics where source = ?) or exists (select 1 from examples where source = ?)';
  return connection.prepare(sql).pluck().get(source, source) === 1;
}

function forget({ connection }: Store, source: number, artifact: number): void {
  for (const table of ['statistics', 'examples']) {
    connection.prepare(`delete from ${table} where source = ? and artifact = ?`).run(source, artifact);
  }
}
