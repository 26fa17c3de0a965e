import { toLabelLine } from '../label-line.ts';
import { type KnownSource, labelPage, type Store } from '../store/index.ts';

/** Features whose labels are read together. */
const page = 250;

/** A source's labels as lines of a label file, some hundred at a time, read as they are taken: what `importLabels` reads back as the same labels. */
export function* exportLabels(store: Store, source: Pick<KnownSource, 'key'>): Generator<string> {
  let after = -1;
  for (;;) {
    const labels = labelPage(store, source.key, after, page);
    const last = labels.at(-1);
    if (last === undefined) return;
    yield labels.map((label) => `${JSON.stringify(toLabelLine(label))}\n`).join('');
    after = last.feature;
  }
}
