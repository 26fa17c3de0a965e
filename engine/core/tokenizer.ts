/** Text to token ids and back. engine/tokenizer implements it; everybody else sees only this. */
export interface Tokenizer {
  readonly vocabularySize: number;
  /** Ids that are special wherever they stand (chat markers, end of text). */
  readonly specialTokenIds: ReadonlySet<number>;
  /**
   * Token ids of `text`. Special tokens spelled out in the text become their ids. `addSpecialTokens` lets the tokenizer
   * prepend what it itself prepends (nothing, for many models), once: a text that begins with it already gets no second.
   */
  encode(text: string, options: { readonly addSpecialTokens: boolean }): Int32Array;
  decode(ids: ArrayLike<number>, options: { readonly skipSpecial: boolean }): string;
  /** The token as text; bytes that are not UTF-8 on their own show as U+FFFD. For log-probability reports. */
  tokenText(id: number): string;
  /** The exact bytes the token stands for. */
  tokenBytes(id: number): Uint8Array;
  /** Incremental decoding that never emits half a character. */
  stream(options: { readonly skipSpecial: boolean }): DetokenizeStream;
}

export interface PromptEncoding {
  /** As in `Tokenizer.encode`. */
  readonly addSpecialTokens: boolean;
  /** Gives the text up while it waits for its turn. */
  readonly signal?: AbortSignal;
}

/** Encodes texts of any length without holding up the event loop. engine/tokenizer implements it. */
export interface PromptEncoder {
  /** What `Tokenizer.encode` gives. Rejects with `cancelled` once the signal aborts, and with `draining` after `close`. */
  encode(text: string, options: PromptEncoding): Promise<Int32Array>;
  close(): Promise<void>;
}

export interface DetokenizeStream {
  /** Text that this token made certain; '' while a character is incomplete. */
  push(id: number): string;
  /** What is left at the end; incomplete bytes become U+FFFD. */
  flush(): string;
}

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplateOptions {
  /** Whether the text ends where the assistant's answer begins. */
  readonly addGenerationPrompt: boolean;
  /** Values of variables that the template has of its own (`enable_thinking`). */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** A model's chat template. */
export interface ChatTemplate {
  /**
   * The conversation as one string, ready for `encode` with addSpecialTokens false. Throws `invalid_request` for conversations that
   * the template refuses, and for variables that it does not have or that are not the caller's.
   */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions): string;
}
