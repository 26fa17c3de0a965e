/** Whole sequences until so many tokens have been given. */
export async function* upTo(tokens: number, sequences: AsyncIterable<Int32Array>): AsyncGenerator<Int32Array> {
  let given = 0;
  for await (const sequence of sequences) {
    if (given >= tokens) return;
    given += sequence.length;
    yield sequence;
  }
}
