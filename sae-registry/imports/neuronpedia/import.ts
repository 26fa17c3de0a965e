import { createHash } from 'node:crypto';
import { z } from 'zod';
import { contentHash } from '../../../engine/checkpoint/content-hash.ts';
import type { ProgressListener } from '../../../engine/core/index.ts';
import { eachJsonLine } from '../../json-lines.ts';
import { sourceInvalid } from '../../source-error.ts';
import {
  addArtifact,
  findJob,
  type KnownSource,
  type Store,
  saveJob,
  writeRepeatable,
  writeStore,
} from '../../store/index.ts';
import { type ExportFile, findExportFiles, openExportFile } from './files.ts';
import { type OwnedRow, Ownership } from './ownership.ts';
import { createWriters, type RowWriter, type Writers } from './writers.ts';

const kind = 'neuronpedia';
const batch = 500;
const toldLines = 100;

export interface NeuronpediaImportOptions {
  /** Folders and files of the export. */
  readonly paths: readonly string[];
  /** `modelId/layer` whose rows belong to the source; null: what the first row says. */
  readonly from: string | null;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

export interface NeuronpediaImport {
  /** Files that were read now, and those that had been before. */
  readonly files: number;
  readonly skipped: number;
  readonly features: number;
  readonly labels: number;
  readonly examples: number;
  /** Features that fire but have no histogram: their figures were not taken. */
  readonly withoutHistogram: number;
  /** The first of the lines that were left out. */
  readonly bad: readonly { readonly file: string; readonly line: number; readonly reason: string }[];
  readonly badLines: number;
}

const cursorSchema = z.object({ line: z.int(), artifact: z.int() });

/**
 * Reads a Neuronpedia export into the store as what is known of a source. Written in pieces, each with how far it came, so that
 * an import that was cut off goes on where it was and ends with the same store. Throws `invalid_request` for what does
 * not belong to the source, `source_invalid` for a file that cannot be unpacked, and what `signal` says.
 */
export async function importNeuronpedia(
  store: Store,
  source: KnownSource,
  { paths, from, signal, onProgress }: NeuronpediaImportOptions,
): Promise<NeuronpediaImport> {
  const files = await findExportFiles(paths);
  const hashes: string[] = [];
  for (const { path } of files) hashes.push(await contentHash([path]));
  const ownership = new Ownership(source, from);
  const writers = createWriters(store, source.key, versionOf(files, hashes));
  try {
    return await importFiles(store, source, files, hashes, { writers, ownership, signal, onProgress });
  } finally {
    writers.close();
  }
}

interface Importing extends Pick<NeuronpediaImportOptions, 'signal' | 'onProgress'> {
  readonly writers: Writers;
  readonly ownership: Ownership;
}

async function importFiles(
  store: Store,
  source: KnownSource,
  files: readonly ExportFile[],
  hashes: readonly string[],
  { writers, ownership, signal, onProgress }: Importing,
): Promise<NeuronpediaImport> {
  await checkFirstRows(files, writers, ownership);
  const bad: { file: string; line: number; reason: string }[] = [];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let [before, skipped, badLines] = [0, 0, 0];
  for (const [at, file] of files.entries()) {
    const hash = hashes[at] as string;
    const key = `source:${source.key} ${file.kind} ${hash}`;
    const job = findJob(store, kind, key);
    const cursor = cursorSchema.safeParse(job?.cursor).data;
    const artifact = cursor?.artifact ?? addArtifact(store, describe(file, hash, ownership));
    const writer = writers[file.kind];
    writer.begin(artifact);
    if (job?.state === 'done') {
      skipped++;
      before += file.bytes;
      continue;
    }
    const { raw, bytes } = openExportFile(file);
    let line = 0;
    let rows: OwnedRow[] = [];
    const save = (state: 'running' | 'done') => {
      signal?.throwIfAborted();
      const writePiece = state === 'done' ? writeStore : writeRepeatable;
      writePiece(store, () => {
        writer.write(rows);
        saveJob(store, { kind, key, state, done: line, total: null, cursor: { line, artifact } });
      });
      rows = [];
      onProgress?.({ label: `Reading ${file.kind}`, done: before + raw.bytesRead, total, unit: 'bytes' });
    };
    try {
      for await (const { number, value, reason } of eachJsonLine(bytes, writer.schema)) {
        if (number <= (cursor?.line ?? 0)) continue;
        if (reason === null) {
          ownership.check(value, `${file.path}, line ${number}`);
          rows.push(value);
        } else {
          badLines++;
          if (bad.length < toldLines) bad.push({ file: file.path, line: number, reason });
        }
        line = number;
        if (rows.length === batch) save('running');
      }
    } catch (error) {
      throw isZlib(error) ? sourceInvalid(`${file.path} cannot be unpacked: ${error.message}.`, error) : error;
    } finally {
      raw.destroy();
    }
    save('done');
    before += file.bytes;
  }
  const { features, labels, examples, withoutHistogram } = writers.counts;
  return { files: files.length - skipped, skipped, features, labels, examples, withoutHistogram, bad, badLines };
}

/** Nothing is written where a file is of another source from its first row on. */
async function checkFirstRows(files: readonly ExportFile[], writers: Writers, ownership: Ownership): Promise<void> {
  for (const file of files) {
    const { raw, bytes } = openExportFile(file);
    const schema: RowWriter['schema'] = writers[file.kind].schema;
    try {
      for await (const { number, value, reason } of eachJsonLine(bytes, schema)) {
        if (reason !== null) continue;
        ownership.check(value, `${file.path}, line ${number}`);
        break;
      }
    } catch (error) {
      throw isZlib(error) ? sourceInvalid(`${file.path} cannot be unpacked: ${error.message}.`, error) : error;
    } finally {
      raw.destroy();
    }
  }
}

/** All figures of one import are of one version, whatever files they came in. */
function versionOf(files: readonly ExportFile[], hashes: readonly string[]): string {
  const features = hashes.filter((_, at) => files[at]?.kind === 'features');
  return `neuronpedia-${createHash('sha256').update(features.toSorted().join()).digest('hex').slice(0, 12)}`;
}

function describe({ path, kind: folder, bytes }: ExportFile, hash: string, { id }: Ownership) {
  const origin = `${path} (neuronpedia ${id ?? 'export'})`;
  return { kind: folder === 'explanations' ? 'labels' : 'features', origin, hash, bytes } as const;
}

function isZlib(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
}
