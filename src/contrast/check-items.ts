import { TillerError } from '../../engine/index.ts';
import type { ContrastItem, ContrastRequest } from '../../routes/services.ts';

/** Fewest items of a class: one is held out, one is learned from. */
const fewest = 2;

/** Refuses, naming the item, classes that have nothing to tell apart: empty, one-sided, with a text that stands in both. */
export function checkItems({ positive, negative, positions }: ContrastRequest): void {
  for (const [name, items] of [['positive', positive] as const, ['negative', negative] as const]) {
    if (items.length >= fewest) continue;
    const message = `The ${name} class has ${items.length} item${items.length === 1 ? '' : 's'} and needs at least ${fewest}: a contrast has two sides, and some of each are held out.`;
    throw new TillerError('invalid_request', message, { param: items[0]?.param ?? name });
  }
  const key = ({ tokenIds, answer }: ContrastItem) => `${positions === 'answer' ? answer : ''}:${tokenIds.join(',')}`;
  const known = new Map(positive.map((item) => [key(item), item]));
  for (const item of negative) {
    const twin = known.get(key(item));
    if (twin === undefined) continue;
    const message = `'${twin.param}' and '${item.param}' are the same text in both classes, which nothing tells apart: leave it out.`;
    throw new TillerError('invalid_request', message, { param: item.param });
  }
  for (const item of [...positive, ...negative]) checkItem(item, positions);
}

function checkItem({ tokenIds, own, answer, param }: ContrastItem, positions: ContrastRequest['positions']): void {
  const refuse = (why: string): never => {
    throw new TillerError('invalid_request', `'${param}' ${why}`, { param });
  };
  if (tokenIds.length === 0) refuse('is empty: give a text.');
  if (tokenIds.length < 2) refuse('is one token, and the first token of a text never counts: give a longer one.');
  if (positions === 'answer' && answer === null) {
    refuse("has no answer token: give 'answer', or a conversation that ends with the assistant's message.");
  }
  if (positions === 'answer' && answer === 0) refuse('has its answer in its first token, which never counts.');
  if ((positions === 'mean' || positions === 'all') && own.to <= Math.max(1, own.from)) {
    refuse('has no token that counts: its last message is empty.');
  }
}
