import { join } from 'node:path';
import { bundledFolder, bundledSources, listSources, rememberedSources } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';

export interface ListedSource {
  readonly id: string;
  /** `bundled` and `added`: loaded with their model. `known`: was opened once; labels and statistics may be kept of it. */
  readonly state: 'bundled' | 'added' | 'known';
  /** Null until it is first opened. */
  readonly hookPoint: string | null;
  readonly features: number | null;
  readonly activation: string | null;
  readonly path: string | null;
  /** What was asked for, of added ones. */
  readonly origin: string | null;
}

/** Every dictionary that Tiller knows of on this machine; opens none. */
export async function listKnownSources(config: Config): Promise<readonly ListedSource[]> {
  return withStore(config, async (store) => {
    const kept = new Map(listSources(store).map((source) => [`${source.model}/${source.name}`, source]));
    const added = new Map(rememberedSources(store).map((source) => [`${source.model}/${source.name}`, source]));
    const bundled = bundledSources();
    const ids = [...new Set([...bundled, ...added.keys(), ...kept.keys()])];
    return ids.map((id) => {
      const facts = kept.get(id);
      const here = added.get(id);
      const isBundled = bundled.includes(id);
      return {
        id,
        state: isBundled ? 'bundled' : here ? 'added' : 'known',
        hookPoint: facts?.hookPointOut ?? facts?.hookPoint ?? null,
        features: facts?.features ?? null,
        activation: facts?.activation ?? null,
        path: isBundled ? join(bundledFolder(), id) : (here?.path ?? facts?.path ?? null),
        origin: here?.origin ?? null,
      };
    });
  });
}
