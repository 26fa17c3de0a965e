/** What a registry has to know of the model that its sources belong to. */
export interface ModelFacts {
  /** `smollm2-135m-instruct` */
  readonly id: string;
  /** Width of the residual stream. */
  readonly dModel: number;
  readonly blocks: number;
  /** Hash of the weights. */
  readonly hash: string;
}
