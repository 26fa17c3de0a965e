import { nearest, TillerError } from '../engine/core/index.ts';
import type { Source } from './source.ts';

/** Looks up sources and features by name among those loaded for one model. */
export class FeatureNames {
  readonly #model: string;
  readonly #sources: readonly Source[];

  constructor(model: string, sources: readonly Source[]) {
    this.#model = model;
    this.#sources = sources;
  }

  /** Throws `model_not_found` for any model but the loaded one. */
  checkModel(model: string, param?: string): void {
    if (model === this.#model) return;
    throw new TillerError('model_not_found', `There is no model '${model}'. Loaded: ${this.#model}.`, {
      param,
      suggestions: [this.#model],
    });
  }

  /** A source of the loaded model by its name; throws `source_not_found`. */
  source(name: string, param?: string): Source {
    const source = this.#sources.find((candidate) => candidate.name === name);
    if (source) return source;
    const loaded = this.#sources.map((candidate) => candidate.name);
    throw new TillerError(
      'source_not_found',
      `There is no source '${name}' of ${this.#model}. Loaded: ${loaded.join(', ') || 'none'}.`,
      { param, suggestions: nearest(name, loaded) },
    );
  }

  /** A source by its name or its id, `model/name`; throws `model_not_found`, `source_not_found`. */
  named(name: string, param?: string): Source {
    const parts = name.split('/');
    if (parts.length === 2) this.checkModel(parts[0] as string, param);
    return this.source(parts.length === 2 ? (parts[1] as string) : name, param);
  }

  /** A feature's index as a number; throws `feature_not_found` saying the range. */
  index(source: Source, index: string, param?: string): number {
    const { features } = source.dictionary;
    if (/^\d{1,15}$/.test(index) && Number(index) < features) return Number(index);
    throw new TillerError(
      'feature_not_found',
      `There is no feature '${index}' of ${source.id}. Its features are 0 to ${features - 1}.`,
      { param },
    );
  }

  /** `model/source/index`, `source/index`, or `index` alone while only one source is loaded. */
  feature(id: string, param?: string): { source: Source; index: number } {
    const parts = id.trim().split('/');
    const index = parts.at(-1) ?? '';
    const only = this.#sources.length === 1 ? this.#sources[0] : undefined;
    if (parts.length === 1 && /^\d+$/.test(index) && only)
      return { source: only, index: this.index(only, index, param) };
    if (parts.length === 3) this.checkModel(parts[0] as string, param);
    if (parts.length === 2 || parts.length === 3) {
      const source = this.source(parts.at(-2) as string, param);
      return { source, index: this.index(source, index, param) };
    }
    throw new TillerError(
      'feature_not_found',
      `'${id}' is no feature id. Write model/source/index, as in ${this.#sources[0]?.id ?? `${this.#model}/source`}/0.`,
      { param },
    );
  }
}
