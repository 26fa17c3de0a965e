import { Template } from '@huggingface/jinja';
import { type Checkpoint, namedTokens } from '../checkpoint/index.ts';
import { type ChatMessage, type ChatTemplate, type ChatTemplateOptions, TillerError } from '../core/index.ts';
import { TemplateVariables } from './template-variables.ts';

/** The checkpoint's chat template; null where it has none. Throws `checkpoint_invalid` where it is not Jinja. */
export function createChatTemplate(
  checkpoint: Pick<Checkpoint, 'path' | 'tokenizerFiles' | 'chatTemplate'>,
): ChatTemplate | null {
  if (checkpoint.chatTemplate === null) return null;
  try {
    return new JinjaChatTemplate(checkpoint.chatTemplate, markers(checkpoint));
  } catch (error) {
    throw new TillerError(
      'checkpoint_invalid',
      `${checkpoint.path}: its chat template cannot be read: ${reason(error)}.`,
      {
        cause: error,
      },
    );
  }
}

/** What templates call `bos_token` and `eos_token`. */
interface Markers {
  readonly bos: string | null;
  readonly eos: string | null;
}

/**
 * Renders as transformers' `apply_chat_template` does without tools: `raise_exception` and `strftime_now` come from the library, `tools`
 * and `documents` are none.
 */
class JinjaChatTemplate implements ChatTemplate {
  readonly #template: Template;
  readonly #variables: TemplateVariables;
  readonly #markers: Markers;

  constructor(source: string, markers: Markers) {
    this.#template = new Template(source);
    this.#variables = new TemplateVariables(source);
    this.#markers = markers;
  }

  render(messages: readonly ChatMessage[], options: ChatTemplateOptions): string {
    const variables = options.variables ?? {};
    this.#variables.check(variables);
    try {
      return this.#template.render({
        ...variables,
        messages: messages.map(({ role, content }) => ({ role, content })),
        add_generation_prompt: options.addGenerationPrompt,
        bos_token: this.#markers.bos ?? '',
        eos_token: this.#markers.eos ?? '',
        tools: null,
        documents: null,
      });
    } catch (error) {
      throw new TillerError('invalid_request', `The model's chat template refuses these messages: ${reason(error)}`, {
        param: 'messages',
        cause: error,
      });
    }
  }
}

function markers({ tokenizerFiles: files }: Pick<Checkpoint, 'tokenizerFiles'>): Markers {
  if (files === null) return { bos: null, eos: null };
  if (files.kind === 'huggingface') return namedTokens(files.tokenizerConfig);
  const text = (id: number | null) => (id === null ? null : (files.tokens[id] ?? null));
  return { bos: text(files.bosTokenId), eos: text(files.eosTokenId) };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
