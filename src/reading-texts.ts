import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { z } from 'zod';
import { type ChatTemplate, type PromptEncoder, TillerError } from '../engine/index.ts';
import { eachJsonLine } from '../sae-registry/index.ts';

/** One line of a file of texts: a conversation, or plain text. */
const lineSchema = z.union([
  z.strictObject({ messages: z.array(z.strictObject({ role: z.string(), content: z.string() })).min(1) }),
  z.strictObject({ text: z.string().min(1) }),
]);

/** What turns texts into tokens. */
export interface TextEncoder {
  readonly encoder: PromptEncoder;
  readonly chatTemplate: ChatTemplate | null;
}

export interface TextsOptions {
  /** A path, or `-` for standard input. */
  readonly path: string;
  /** Longest sequence; longer texts are cut. */
  readonly tokens: number;
  /** Whether conversations end where the model is to answer. */
  readonly answer?: boolean;
  /** Told how many bytes have been read so far. */
  readonly onRead?: (bytes: number) => void;
}

/** Plain text that is encoded at a time. */
const pieceCharacters = 1 << 16;

/**
 * The texts of a file as token sequences. JSON lines (`{"text"}` or `{"messages"}`) where its first character is a brace, one text a
 * line; plain text else, cut where a sequence is full. What the tokenizer prepends begins every sequence of plain text. Throws
 * `invalid_request` for a line that is neither, and for conversations where there is no chat template.
 */
export async function* textSequences(model: TextEncoder, options: TextsOptions): AsyncGenerator<Int32Array> {
  const stream: AsyncIterable<Uint8Array> =
    options.path === '-' ? process.stdin : createReadStream(options.path, { highWaterMark: 1 << 14 });
  const chunks = stream[Symbol.asyncIterator]();
  const first: IteratorResult<Uint8Array, unknown> = await chunks.next();
  if (first.done) return;
  const whole = (async function* () {
    let bytes = 0;
    for (let next: IteratorResult<Uint8Array, unknown> = first; !next.done; next = await chunks.next()) {
      yield next.value;
      // asked for more: this has been read
      bytes += next.value.byteLength;
      options.onRead?.(bytes);
    }
  })();
  const isJson = /^\s*\{/.test(
    Buffer.from(first.value)
      .toString('utf8')
      .replace(/^\uFEFF/, ''),
  );
  yield* isJson ? lineSequences(model, whole, options) : plainSequences(model, whole, options);
}

async function* lineSequences(
  { encoder, chatTemplate }: TextEncoder,
  chunks: AsyncIterable<Uint8Array>,
  { path, tokens, answer = false }: TextsOptions,
): AsyncGenerator<Int32Array> {
  for await (const { number, value, reason } of eachJsonLine(chunks, lineSchema)) {
    const refuse = (why: string): never => {
      throw new TillerError('invalid_request', `${path}, line ${number} ${why}`, { param: 'texts' });
    };
    if (reason !== null) return refuse(reason);
    if ('messages' in value) {
      if (!chatTemplate) return refuse('is a conversation, and this model has no chat template: give {"text"}.');
      const text = chatTemplate.render(value.messages, { addGenerationPrompt: answer });
      yield* cut(await encoder.encode(text, { addSpecialTokens: false }), tokens, new Int32Array());
    } else {
      const begin = await encoder.encode('', { addSpecialTokens: true });
      const ids = await encoder.encode(value.text, { addSpecialTokens: false });
      yield* cut(ids, tokens, begin);
    }
  }
}

async function* plainSequences(
  { encoder }: TextEncoder,
  chunks: AsyncIterable<Uint8Array>,
  { tokens }: TextsOptions,
): AsyncGenerator<Int32Array> {
  const begin = await encoder.encode('', { addSpecialTokens: true });
  const decoder = new StringDecoder('utf8');
  let text = '';
  for await (const chunk of chunks) {
    text += decoder.write(Buffer.from(chunk));
    while (text.length >= pieceCharacters) {
      // between two words, where there are any
      const space = text.lastIndexOf(' ', pieceCharacters);
      const end = space > pieceCharacters / 2 ? space : pieceCharacters;
      yield* cut(await encoder.encode(text.slice(0, end), { addSpecialTokens: false }), tokens, begin);
      text = text.slice(end);
    }
  }
  text += decoder.end();
  if (text.trim() !== '') yield* cut(await encoder.encode(text, { addSpecialTokens: false }), tokens, begin);
}

function* cut(ids: Int32Array, tokens: number, begin: Int32Array): Generator<Int32Array> {
  const own = Math.max(1, tokens - begin.length);
  for (let at = 0; at < ids.length; at += own) yield Int32Array.of(...begin, ...ids.subarray(at, at + own));
}
