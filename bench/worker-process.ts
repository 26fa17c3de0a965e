import { type ChildProcess, fork } from 'node:child_process';
import { z } from 'zod';

/** What a worker answers. The clocks tell what the process took while it was not asked anything. */
const reply = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    value: z.unknown(),
    /** Processor seconds of the process so far, when the work began and when it ended. */
    cpu: z.tuple([z.number(), z.number()]),
  }),
  z.object({ ok: z.literal(false), error: z.string() }),
]);

/**
 * One engine in a process of its own that stays loaded and answers one request at a time. Between requests it should cost nothing;
 * `idleShare` says whether that is so.
 */
export class WorkerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  #end: { readonly wall: number; readonly cpu: number } | null = null;
  #idleWall = 0;
  #idleCpu = 0;

  constructor(name: string, script: string) {
    this.name = name;
    // Inspector and loader flags of the parent are not the worker's.
    this.#child = fork(script, [], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Sends a request and gives the answer's value as `schema` reads it. Rejects with the worker's error, or when it ends. */
  async ask<T>(schema: z.ZodType<T>, request: { readonly op: string; readonly [field: string]: unknown }): Promise<T> {
    const began = performance.now();
    const answer = reply.parse(await this.#exchange(request));
    if (!answer.ok) throw new Error(`${this.name}: ${answer.error}`);
    if (this.#end) {
      this.#idleWall += began - this.#end.wall;
      this.#idleCpu += answer.cpu[0] - this.#end.cpu;
    }
    this.#end = { wall: performance.now(), cpu: answer.cpu[1] };
    return schema.parse(answer.value);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} could not be started`);
    return this.#child.pid;
  }

  /** Processor time per wall time between requests, in cores. */
  get idleShare(): number {
    return this.#idleWall === 0 ? 0 : Math.max(0, this.#idleCpu / (this.#idleWall / 1000));
  }

  /** Processor seconds of the process so far, as of its last answer. */
  get cpuSeconds(): number {
    return this.#end?.cpu ?? 0;
  }

  /** What ran before is not counted: loading leaves work behind it. */
  resetIdle(): void {
    this.#idleWall = 0;
    this.#idleCpu = 0;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }

  #exchange(request: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#child.off('message', onMessage).off('exit', onExit).off('error', onError);
        act();
      };
      const onMessage = (message: unknown) => settle(() => resolve(message));
      const onExit = (code: number | null, signal: string | null) =>
        settle(() => reject(new Error(`${this.name} ended (${signal ?? `exit status ${code}`})`)));
      const onError = (error: Error) => settle(() => reject(error));
      this.#child.on('message', onMessage).on('exit', onExit).on('error', onError);
      this.#child.send(request as object);
    });
  }
}
