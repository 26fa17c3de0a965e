import { OpenAPIHono } from '@hono/zod-openapi';
import { queryError } from './validation.ts';

/** Something in the request that was understood but not acted on, told to the client in the answer. */
export interface Warning {
  /** Path of the field. */
  readonly param: string;
  readonly message: string;
}

/** What middleware leaves for handlers. */
export interface AppEnv {
  /** What Node's adapter passes along; nothing where the application is called in process. */
  Bindings: { readonly outgoing?: { destroy(): unknown } };
  Variables: {
    requestId: string;
    /** Fields that were not acted on; http/json-body.ts fills it. */
    warnings: readonly Warning[];
    /** What the request holds until its answer is complete: loaded models. */
    held: { release(): void }[];
    /** Settles when a streamed answer has ended, with how it ended; unset for answers that are complete when returned. */
    streamEnded: Promise<'complete' | 'gone' | 'failed'> | undefined;
  };
}

export type Router = OpenAPIHono<AppEnv>;

/** A router whose parameter and query failures become typed errors. */
export function createRouter(): Router {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw queryError(result.error);
    },
  });
}
