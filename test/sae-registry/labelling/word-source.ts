import { type KnownSource, registerSource, type Store } from '../../../sae-registry/store/index.ts';
import { examples, labels, statistics } from '../../../sae-registry/store/schema.ts';
import { sourceFacts } from '../store/source-facts.ts';
import { passage } from './passages.ts';

const filler = 'people of that town went home early because rain fell over every field and road'.split(' ');

/** A source whose feature f fires on `word<f>` and nothing else, with `count` passages each. */
export function wordSource(store: Store, features = 24, count = 12): KnownSource {
  const source = registerSource(store, sourceFacts({ features }));
  for (let feature = 0; feature < features; feature++) {
    store.db
      .insert(examples)
      .values(Array.from({ length: count }, (_, rank) => example(source.key, feature, rank)))
      .run();
    store.db
      .insert(statistics)
      .values({
        ...{ source: source.key, feature, version: '1', density: 0.01, max: 20, p999: 19, mean: 5, histogram: [1, 2] },
        // neighbours by shared tokens: those of the same ten
        ...{
          topLogits: [` after${feature}`],
          bottomLogits: [],
          topTokens: [` word${feature}`, ` ten${Math.floor(feature / 10)}`],
        },
      })
      .run();
  }
  return source;
}

function example(source: number, feature: number, rank: number) {
  const words = filler.map((_, i) => filler[(i * (rank + 1) + feature) % filler.length] as string);
  words.splice((feature + rank) % 9, 0, `[word${feature}]`, `of${feature}x${rank}`);
  const { tokens, values, peak } = passage(words.join(' '), 20 - rank);
  return { source, feature, rank, tokens, values: Buffer.from((values as Float32Array).buffer), peak };
}

/** Labels every feature with the word of another, `shift` further on: 0 is right. */
export function addWordLabels(store: Store, source: KnownSource, shift: number, author: string): void {
  for (let feature = 0; feature < source.features; feature++) {
    const text = `word${(feature + shift) % source.features}`;
    store.db.insert(labels).values({ source: source.key, feature, text, method: 'imported', author }).run();
  }
}
