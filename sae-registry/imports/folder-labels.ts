import { readJsonLines } from '../json-lines.ts';
import { fromLabelLine, type LabelDefaults, labelLineSchema } from '../label-line.ts';
import { sourceInvalid } from '../source-error.ts';
import { addArtifact, type KnownSource, type NewLabel, type Store, stageLabels, writeStore } from '../store/index.ts';
import { newFolderFile } from './folder-file.ts';

const batch = 1000;

/**
 * Reads `labels.jsonl` of a source's folder into the store, unless that has been done: all of it or nothing. What an earlier
 * form of the file brought and this one does not have goes. Throws `source_invalid`.
 */
export async function importFolderLabels(
  store: Store,
  source: Pick<KnownSource, 'key' | 'features'>,
  folder: string,
  defaults: LabelDefaults,
): Promise<void> {
  const file = await newFolderFile(store, source.key, folder, 'labels.jsonl');
  if (file === null) return;
  const staged = stageLabels(store);
  try {
    let labels: NewLabel[] = [];
    for await (const value of readJsonLines(file.path, labelLineSchema)) {
      if (value.index >= source.features) {
        throw sourceInvalid(`${file.path} has feature ${value.index}; the dictionary has ${source.features}.`);
      }
      labels.push(fromLabelLine(value, defaults));
      if (labels.length === batch) staged.add(labels.splice(0));
    }
    staged.add(labels);
    labels = [];
    writeStore(store, (db) => {
      const artifact = addArtifact({ db }, { kind: 'labels', origin: file.path, hash: file.hash, bytes: file.bytes });
      staged.commit(source.key, artifact);
      if (file.earlier !== null && file.earlier !== artifact) {
        store.connection.prepare('delete from labels where source = ? and artifact = ?').run(source.key, file.earlier);
      }
      file.done(artifact);
    });
  } finally {
    staged.close();
  }
}
