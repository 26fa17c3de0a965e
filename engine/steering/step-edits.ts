import type { Edit } from '../core/edit.ts';
import type { RowStep } from '../core/step.ts';
import type { MaskedEdit } from './reference.ts';

/** The edits of a step's rows at one hook point. */
export interface SiteEdits {
  /** For each row, its edits here. */
  readonly edits: readonly (readonly Edit[])[];
  /** For each row, which of its edits these are. */
  readonly indices: readonly (readonly number[])[];
}

/** The edits of a step's rows, sorted by hook point. */
export interface StepEdits {
  readonly sites: ReadonlyMap<string, SiteEdits>;
  /** Of a hook point where no row has an edit. */
  readonly none: SiteEdits;
  /** The rows' own lists, to know the same edits by. */
  readonly lists: readonly RowStep['edits'][];
}

/**
 * Sorts the edits of a step's rows by hook point. Answers `previous` itself where edits and masks are the same, as they mostly
 * are from one token to the next: whoever made something of it need not do so again.
 */
export function sortEdits(rows: readonly RowStep[], previous: StepEdits | null): StepEdits {
  if (previous !== null && sameEdits(rows, previous.lists)) return previous;
  const sites = new Map<string, { edits: Edit[][]; indices: number[][] }>();
  rows.forEach((row, r) => {
    row.edits.forEach(({ edit }, index) => {
      let site = sites.get(edit.hookPoint);
      if (!site) {
        site = { edits: rows.map(() => []), indices: rows.map(() => []) };
        sites.set(edit.hookPoint, site);
      }
      site.edits[r]?.push(edit);
      site.indices[r]?.push(index);
    });
  });
  const none = { edits: rows.map(() => []), indices: rows.map(() => []) };
  return { sites, none, lists: rows.map(({ edits }) => edits) };
}

function sameEdits(rows: readonly RowStep[], lists: readonly RowStep['edits'][]): boolean {
  if (rows.length !== lists.length) return false;
  for (let r = 0; r < lists.length; r++) {
    const [a, b] = [(rows[r] as RowStep).edits, lists[r] as RowStep['edits']];
    if (a === b) continue;
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) {
      if (!sameMasked(a[i] as MaskedEdit, b[i] as MaskedEdit)) return false;
    }
  }
  return true;
}

/** Only masks of one token are compared: longer ones hardly ever come twice. */
function sameMasked(a: MaskedEdit, b: MaskedEdit): boolean {
  return a.edit === b.edit && a.mask.length === 1 && b.mask.length === 1 && a.mask[0] === b.mask[0];
}
