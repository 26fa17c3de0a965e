import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { exportLabels, requireSource } from '../../sae-registry/index.ts';
import type { Output } from '../cli/context.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';

/** Writes a source's labels as a label file, whole or not at all; without a file, on `stdout`. Throws `source_not_found`. */
export async function exportLabelFile(
  config: Config,
  { source: id, out }: { readonly source: string; readonly out: string | null },
  stdout: Output,
): Promise<void> {
  return withStore(config, async (store) => {
    const lines = exportLabels(store, requireSource(store, id, 'source'));
    if (out === null) {
      for (const text of lines) if (stdout.write(text) === false && isStream(stdout)) await once(stdout, 'drain');
      return;
    }
    const path = resolve(out);
    try {
      await pipeline(Readable.from(lines), createWriteStream(`${path}.new`));
      await rename(`${path}.new`, path);
    } finally {
      await rm(`${path}.new`, { force: true });
    }
  });
}

function isStream(output: Output): output is Output & NodeJS.EventEmitter {
  return 'once' in output;
}
