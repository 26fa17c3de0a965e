import { nearest, TillerError } from '../../engine/core/index.ts';
import { modelOfSource } from '../../sae-registry/index.ts';

/**
 * Which sources belong to which of several models, by what each says of itself; a single model gets all, and refuses what is not its
 * own when it is loaded. Throws `source_invalid` for a source of a model that is not served, and for one that names none.
 *
 * @param sources ids of bundled ones, or folders
 * @returns by the model's name; a model without any is not in it
 */
export async function assignSources(
  sources: readonly string[],
  models: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const [only] = models;
  if (models.length === 1 && only !== undefined) return new Map(sources.length > 0 ? [[only, sources]] : []);
  const assigned = new Map<string, string[]>();
  for (const source of sources) {
    const named = await modelOfSource(source);
    if (named === null) throw refused(`${source} does not say its model. Give it a source.json with "model".`);
    const model = models.find((name) => name.toLowerCase() === named.toLowerCase());
    if (model === undefined) {
      const near = nearest(named, models);
      throw refused(
        `${source} is a source of ${named}, which is not served (${models.join(', ')} are). Add it with --model.`,
        near,
      );
    }
    assigned.set(model, [...(assigned.get(model) ?? []), source]);
  }
  return assigned;
}

function refused(message: string, suggestions: readonly string[] = []): TillerError {
  return new TillerError('source_invalid', message, { param: 'source', suggestions });
}
