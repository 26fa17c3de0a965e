import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AskedQuestion {
  readonly system: string;
  readonly user: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
  /** Of all questions that came, from 0 on. */
  readonly number: number;
}

/** A text is what the model says; anything else is what goes over the wire. */
export type ScriptedAnswer =
  | string
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      /** Nothing comes, or the connection breaks. */
      readonly never?: 'answers' | 'connects';
    };

export interface FakeEndpoint {
  /** Up to /v1. */
  readonly endpoint: string;
  readonly questions: readonly AskedQuestion[];
  /** Most questions that were open at once. */
  readonly mostAtOnce: () => number;
  close(): Promise<void>;
}

/** A chat endpoint on a real socket that answers by a script. */
export async function fakeEndpoint(
  answer: (question: AskedQuestion) => ScriptedAnswer | Promise<ScriptedAnswer>,
): Promise<FakeEndpoint> {
  const questions: AskedQuestion[] = [];
  let [open, most] = [0, 0];
  const server = createServer(async (request, response) => {
    most = Math.max(most, ++open);
    response.on('close', () => open--);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as { messages: { content: string }[] };
    const [system = '', user = ''] = body.messages.map(({ content }) => content);
    const question = { system, user, headers: request.headers, body, number: questions.length };
    questions.push(question);
    const scripted =
      request.url === '/v1/chat/completions' ? await answer(question) : { status: 404, body: request.url };
    if (typeof scripted === 'string') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(completion(scripted));
    } else if (scripted.never === 'connects') request.socket.destroy();
    else if (scripted.never === undefined) {
      response.writeHead(scripted.status ?? 200, scripted.headers).end(scripted.body ?? '');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    questions,
    mostAtOnce: () => most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a model says, as a chat completion that took 100 and 10 tokens. */
export function completion(text: string): string {
  return JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
  });
}

/**
 * Knows words: labels a feature by the word that is marked most often, says that a passage fits a label where the label's word is in it, and
 * that marks fit where it is marked.
 */
export function wordOracle({ system, user }: Pick<AskedQuestion, 'system' | 'user'>): string {
  const passages = user.split('\n').filter((line) => /^\d+\. /.test(line));
  const word = /^Description: (\w+)/.exec(user)?.[1];
  if (word === undefined) {
    const marked = passages.flatMap((line) => [...line.matchAll(/<<(\w+)>>/g)].map(([, one = '']) => one));
    return JSON.stringify({ label: mostFrequent(marked) });
  }
  const fits = system.includes('<<') ? new RegExp(`<<${word}>>`) : new RegExp(`\\b${word}\\b`);
  return JSON.stringify(passages.map((line) => (fits.test(line) ? 1 : 0)));
}

function mostFrequent(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? '';
}
