import { type App, createApp } from '../../src/app.ts';
import { type FakeOptions, type FakeServices, fakeServices } from './fake-services.ts';

/** An app over fake services, in process. */
export interface FakeApp extends FakeServices {
  readonly app: App;
  /** POSTs JSON (a string goes as it is). */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(path: string): Promise<Response>;
}

export function fakeApp(options: FakeOptions = {}): FakeApp {
  const fake = fakeServices(options);
  const app = createApp(fake.services);
  return {
    ...fake,
    app,
    post: async (path, body, headers) =>
      app.request(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    get: async (path) => app.request(path),
  };
}

/** Data of every server-sent event of a body, in order; `[DONE]` as itself. Comments are left out. */
export function sseData(text: string): string[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length));
}

/** A promise and its resolver, for tests that decide when something happens. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
