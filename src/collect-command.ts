import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { bundledFolder, openStore } from '../sae-registry/index.ts';
import { createProgressDisplay } from './cli/progress-display.ts';
import { collectStreamNorms } from './collect-stream-norms.ts';
import { type Config, theModel } from './config.ts';
import { storePath } from './data-directory.ts';
import { openModel, streamNormsPath } from './open-model.ts';

/** Measures the configured model's stream norms over a file of texts, and returns the path they were written to. */
export async function runCollect(
  config: Config,
  { texts, out }: { readonly texts: string | null; readonly out: string | null },
): Promise<string> {
  theModel(config);
  const store = await openStore(storePath(config));
  const display = createProgressDisplay(process.stderr);
  const ready = openModel({ ...config, maxRows: 1, warmUp: 'none' }, { ...display, store });
  const { id, model, close } = await ready.finally(display.stop).catch((error) => {
    store.close();
    throw error;
  });
  try {
    const textsPath = texts ?? join(bundledFolder(), 'calibration.jsonl');
    const norms = await collectStreamNorms(id, model, textsPath);
    const path = out === null ? streamNormsPath(config, id, model.hash) : resolve(out);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, `${JSON.stringify(norms, null, 2)}\n`);
    await rename(`${path}.new`, path);
    return path;
  } finally {
    await close();
    store.close();
  }
}
