import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { safetensorsHead } from '../../engine/core/index.ts';
import {
  controlVectorFile,
  deleteVector,
  findVector,
  listVectors,
  type SavedVector,
  type Store,
  type VectorSummary,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { locateSaved } from '../locate-saved.ts';
import { withStore } from '../with-store.ts';

/** What commands do with saved vectors without any model: `[model@]name[:version]` names one, of whatever model. */

/** Every version of every model's vectors. */
export async function listStoredVectors(config: Config): Promise<readonly VectorSummary[]> {
  return withStore(config, (store) => listVectors(store, null));
}

/** Throws `vector_not_found`, and `invalid_request` where several models have one of that name. */
export async function readStoredVector(config: Config, reference: string): Promise<SavedVector> {
  return withStore(config, (store) => {
    const { model, name } = locate(store, reference);
    return findVector(store, model, name, 'name');
  });
}

/** Deletes that version, or all of a name, and says which. Throws as `readStoredVector`, and `in_use` where a profile was made with it. */
export async function deleteStoredVector(config: Config, reference: string): Promise<readonly number[]> {
  return withStore(config, (store) => {
    const { model, name } = locate(store, reference);
    return deleteVector(store, model, name, 'name');
  });
}

/** Writes one as a control vector (`.gguf`) or safetensors, and returns the path. Throws `edit_not_applicable` for places that no control vector reaches. */
export async function exportStoredVector(config: Config, reference: string, out: string): Promise<string> {
  const vector = await readStoredVector(config, reference);
  const path = resolve(out);
  const pieces = path.endsWith('.gguf') ? [controlVector(vector)] : safetensors(vector);
  const file = openSync(path, 'w');
  try {
    for (const piece of pieces) writeSync(file, piece);
  } finally {
    closeSync(file);
  }
  return path;
}

function controlVector({ model, name, directions }: SavedVector): Uint8Array {
  const added = directions.map((direction) => ({ name, ...direction }));
  return controlVectorFile(added, model);
}

function safetensors({ model, name, version, method, directions }: SavedVector): Uint8Array[] {
  const tensors = directions.map(({ hookPoint, values }) => {
    return [hookPoint, { type: 'F32', shape: [values.length] }] as const;
  });
  const { bytes } = safetensorsHead(tensors, { model, name, version: String(version), method });
  const values = directions.map(
    ({ values: { buffer, byteOffset, byteLength } }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  return [bytes, ...values];
}

/** Whose vector it is; `name` keeps its version. */
function locate(store: Store, reference: string) {
  return locateSaved('vector', reference, () => listVectors(store, null));
}
