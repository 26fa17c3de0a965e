/** Whether a text says one of the words or phrases: whole words, whatever their case. None of them may be empty. */
export function saysAny(text: string, words: readonly string[]): boolean {
  const said = text.toLowerCase();
  return words.some((word) => saysWord(said, word.toLowerCase()));
}

const wordCharacter = /[\p{L}\p{N}_]/u;

function saysWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    // a word that begins or ends with a sign (`!`, `:)`) needs no boundary there
    const open = !isWord(text.slice(0, at).at(-1)) || !isWord(word[0]);
    const closed = !isWord(text[at + word.length]) || !isWord(word.at(-1));
    if (open && closed) return true;
  }
  return false;
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && wordCharacter.test(character);
}
