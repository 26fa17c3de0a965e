import { type ChatMessage, TillerError } from '../../engine/core/index.ts';
import type { ModelService } from '../services.ts';
import { type ContentSpan, contentSpans } from './content-spans.ts';
import { refuseFarTooLong } from './least-tokens.ts';

/** A conversation as prompt tokens. */
export interface ChatPrompt {
  readonly messages: readonly ChatMessage[];
  /** The rendered text whose tokens `tokenIds` are. */
  readonly text: string;
  readonly tokenIds: Int32Array;
  /** Where each message's own words stand in `text`; costs one more rendering. Throws `edit_not_applicable`. */
  spans(): readonly ContentSpan[];
}

export interface ChatPromptOptions {
  /** Default true. */
  readonly add_generation_prompt?: boolean | null;
  /** Default false. */
  readonly continue_final_message?: boolean | null;
  /** Values of variables that the template has of its own (`enable_thinking`). */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  /** Whether the tokenizer may prepend what it itself prepends; the template's text has it already, so default false. */
  readonly addSpecialTokens?: boolean;
  /** Gives up encoding. */
  readonly signal?: AbortSignal;
}

/**
 * Renders and encodes a conversation. Throws `unsupported` for a model without a chat template, `invalid_request` for option
 * pairs that contradict each other, for variables that the template does not have and for what the template itself refuses, `context_length_exceeded` for what cannot fit
 * the context, before it is rendered or encoded.
 */
export async function toChatPrompt(
  model: ModelService,
  messages: readonly ChatMessage[],
  options: ChatPromptOptions,
): Promise<ChatPrompt> {
  const template = model.chatTemplate;
  if (!template) {
    throw new TillerError('unsupported', `'${model.card.id}' has no chat template: use /v1/completions.`, {
      param: 'messages',
    });
  }
  const continued = options.continue_final_message ?? false;
  const addGenerationPrompt = options.add_generation_prompt ?? !continued;
  if (continued && addGenerationPrompt) {
    throw new TillerError('invalid_request', "'continue_final_message' needs 'add_generation_prompt': false.", {
      param: 'continue_final_message',
    });
  }
  refuseTooManyMessages(messages, model);
  const variables = options.chat_template_kwargs ?? {};
  const render = (conversation: readonly ChatMessage[]) =>
    template.render(conversation, { addGenerationPrompt, variables });
  const whole = renderOrRefuse(() => render(messages));
  const text = continued ? whole.slice(0, contentSpans(render, messages, whole).at(-1)?.end) : whole;
  refuseFarTooLong(text, model, 'messages');
  return {
    messages,
    text,
    tokenIds: await model.encode(text, { addSpecialTokens: options.addSpecialTokens ?? false, signal: options.signal }),
    spans: () => contentSpans(render, messages, whole),
  };
}

/** Every message takes a token at least; rendering thousands of them for nothing would hold up everybody else. */
function refuseTooManyMessages({ length }: readonly ChatMessage[], { card }: ModelService): void {
  if (length <= card.contextLength) return;
  const message = `${length} messages have more tokens than the context holds, which is ${card.contextLength}: send fewer.`;
  throw new TillerError('context_length_exceeded', message, { param: 'messages' });
}

/** Templates refuse conversations they do not know (two user messages in a row, say) by throwing. */
function renderOrRefuse(render: () => string): string {
  try {
    return render();
  } catch (cause) {
    if (cause instanceof TillerError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TillerError('invalid_request', `The model's chat template refuses these messages: ${reason}`, {
      param: 'messages',
      cause,
    });
  }
}
