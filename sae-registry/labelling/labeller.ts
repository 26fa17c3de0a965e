/** A question for a chat model. */
export interface ChatPrompt {
  readonly system: string;
  readonly user: string;
}

/** Whoever answers: a model behind an endpoint. */
export interface Labeller {
  /** Its name: the author of the labels and scores that it makes. */
  readonly name: string;
  /**
   * Its answer as text, empty where it gave none. Retries what may pass; throws `labeller_unavailable` where it did not, and
   * `labeller_refused` where asking again is of no use.
   */
  ask(prompt: ChatPrompt): Promise<string>;
}
