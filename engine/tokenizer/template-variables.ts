import { nearest, TillerError } from '../core/index.ts';

/** What every rendering is given: other fields of a request say it, or nothing may. */
const given = [
  'messages',
  'add_generation_prompt',
  'continue_final_message',
  'bos_token',
  'eos_token',
  'tools',
  'documents',
  'raise_exception',
  'strftime_now',
];

/** The variables that a chat template reads beyond what every template is given (`enable_thinking`, `date_string`). */
export class TemplateVariables {
  readonly #names: ReadonlySet<string>;

  /** @param source the template: each of its words may be a variable */
  constructor(source: string) {
    this.#names = new Set(source.match(/[A-Za-z_]\w*/g) ?? []);
  }

  /** Refuses variables (`invalid_request`) that could not have the effect their sender expects. */
  check(variables: Readonly<Record<string, unknown>>): void {
    for (const name of Object.keys(variables)) {
      const param = `chat_template_kwargs.${name}`;
      if (given.includes(name)) {
        throw new TillerError('invalid_request', `'${name}' cannot be set for the chat template.`, { param });
      }
      if (this.#names.has(name)) continue;
      const message = `The model's chat template has no variable '${name}': it would have no effect.`;
      const suggestions = nearest(name, [...this.#names]);
      throw new TillerError('invalid_request', message, { param, suggestions });
    }
  }
}
