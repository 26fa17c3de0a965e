/** What the graph compiler needs to know of a model, whatever file it came from. Widths in numbers of floats. */
export interface ModelConfig {
  /** Architecture file in engine/graph/families. */
  readonly family: 'llama';
  /** Width of the residual stream. */
  readonly dModel: number;
  readonly blocks: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** Width inside the MLP. */
  readonly mlpWidth: number;
  readonly vocabularySize: number;
  /** Longest sequence the model was trained for, in tokens. */
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly ropeBase: number;
  /** The unembedding is the embedding matrix. */
  readonly tiedEmbeddings: boolean;
  /** First token that the tokenizer itself prepends to text, if it does. */
  readonly bosTokenId: number | null;
  /** Tokens that end a reply. */
  readonly eosTokenIds: readonly number[];
}
