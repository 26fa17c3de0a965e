import { TillerError } from '../../../engine/core/index.ts';
import type { KnownSource } from '../../store/index.ts';
import { placeName } from '../../stream-norms.ts';

/** What says in a row whose it is. */
export interface OwnedRow {
  readonly modelId: string;
  readonly layer: string;
  readonly index: number;
  readonly hookName?: string | null | undefined;
}

/**
 * Makes sure that rows are those of one Neuronpedia source, and that this can be the source they are imported for. `said`
 * is `modelId/layer` where the user named it; else the first row says which. Throws `invalid_request`.
 */
export class Ownership {
  readonly #source: KnownSource;
  readonly #said: boolean;
  #id: string | null;

  constructor(source: KnownSource, said: string | null) {
    this.#source = source;
    this.#said = said !== null;
    this.#id = said;
  }

  /** `modelId/layer`; null before the first row. */
  get id(): string | null {
    return this.#id;
  }

  check(row: OwnedRow, where: string): void {
    const id = `${row.modelId}/${row.layer}`;
    const its = `${this.#source.model}/${this.#source.name}`;
    if (this.#id !== null && id !== this.#id) {
      throw refused(`${where} is of ${id}, not of ${this.#id}. Import one source at a time, or name it with --from.`);
    }
    if (this.#id === null) this.#checkLayer(row.layer, where);
    this.#id = id;
    const { hookName } = row;
    if (hookName && !this.#isPlace(hookName)) {
      throw refused(`${where} is of ${hookName}; ${its} is of ${this.#source.hookPoint}.`);
    }
    if (row.index >= this.#source.features) {
      throw refused(`${where} has feature ${row.index}; the features of ${its} are 0 to ${this.#source.features - 1}.`);
    }
  }

  /** `9-res-jb`: its number is the layer's, unless the user said that it belongs here. */
  #checkLayer(layer: string, where: string): void {
    const number = /^(\d+)\b/.exec(layer)?.[1];
    if (this.#said || number === undefined || this.#source.layer === null) return;
    if (Number(number) === this.#source.layer) return;
    throw refused(
      `${where} is of layer ${number}; ${this.#source.model}/${this.#source.name} is of layer ${this.#source.layer}. If it belongs there, say so: --from MODEL/${layer}.`,
    );
  }

  #isPlace(hookName: string): boolean {
    return [this.#source.hookPoint, this.#source.hookPointOut].some(
      (place) => place !== null && placeName(place) === placeName(hookName),
    );
  }
}

function refused(message: string): TillerError {
  return new TillerError('invalid_request', message, { param: 'files' });
}
