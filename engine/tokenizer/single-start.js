// @ts-check
/**
 * A text never begins with the tokenizer's own start token twice: where the text spells it out already (a rendered chat template,
 * tokens turned into text and back), the one that the tokenizer put before it goes. Transformers keeps both, and a model that was never
 * trained on two of them answers worse. JavaScript, because encode-worker.js needs it too.
 *
 * @param {Int32Array<ArrayBuffer>} tokenIds with what the tokenizer adds
 * @param {number | null} start the token that the tokenizer puts before every text; null where it puts none
 * @returns {Int32Array<ArrayBuffer>}
 */
export function withoutDoubledStart(tokenIds, start) {
  return start !== null && tokenIds[0] === start && tokenIds[1] === start ? tokenIds.slice(1) : tokenIds;
}

/**
 * The token that a tokenizer puts before every text, told from what it makes of one.
 *
 * @param {ArrayLike<number>} plain a text's tokens without what the tokenizer adds
 * @param {ArrayLike<number>} whole the same with it
 * @returns {number | null}
 */
export function startToken(plain, whole) {
  const isShifted = whole.length > plain.length && Array.from(plain).every((id, index) => whole[index + 1] === id);
  return isShifted && plain.length > 0 ? whole[0] : null;
}
