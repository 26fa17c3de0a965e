import type { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';
import type { JobInputRequest } from '../../routes/jobs-port.ts';
import type { ModelService } from '../../routes/services.ts';
import type { ReadyModel } from '../services.ts';

/** A loaded model as jobs use it. */
export interface JobModel {
  readonly ready: ReadyModel;
  readonly service: ModelService;
}

/** One line of a job's data set. */
export type JobInput = JobInputRequest;

/** What a job has to work with. */
export interface JobRun {
  readonly id: string;
  /** The lines of its data set, the same ones in the same order whenever it goes on; keys are line numbers from 0. */
  inputs(): AsyncIterable<{ readonly key: string; readonly input: JobInput }>;
  /** The file that they are in: JSON lines. */
  readonly inputsPath: string;
  /** How many there are. */
  readonly inputCount: number;
  /** Waits until interactive traffic leaves room. */
  pause(): Promise<void>;
  /** The same, and has the model loaded, and kept, while `work` runs. */
  use<T>(work: (model: JobModel) => Promise<T>): Promise<T>;
  readonly signal: AbortSignal;
}

/** One part of a job: done once, whatever happens in between. */
export interface JobItem {
  /** The same whenever the job goes on; unlike all others. */
  readonly key: string;
  /** What its line of results says beside the key. What it throws of a caller's mistake becomes its line; anything else ends the job. */
  run(): Promise<Readonly<Record<string, unknown>>>;
}

/** A job that is about to run. */
export interface JobWork {
  readonly total: number | null;
  readonly items: AsyncIterable<JobItem>;
  /**
   * What it all came to, from the lines of results: called once, at the end. May write a file of tensors to `tensorsPath`.
   */
  finish?(results: {
    lines(): AsyncIterable<Readonly<Record<string, unknown>>>;
    readonly tensorsPath: string;
  }): Promise<Readonly<Record<string, unknown>>>;
}

/** One thing that can be done in the background. kinds/index.ts lists them: another one is another file. */
export interface JobKind<Parameters = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly parameters: z.ZodType<Parameters>;
  /** Refuses a line of the data set, before it is queued. Left out: one that says what only a contrast heeds is refused. */
  checkInput?(input: JobInput, param: string): void;
  /** Refuses what cannot work, before it is queued: sources that are not there, an answer that would be too large. */
  check(parameters: Parameters, model: JobModel, inputs: number): void;
  open(parameters: Parameters, run: JobRun): JobWork;
}

/** A kind whose parameters nobody needs to know. */
export function jobKind<Parameters>(kind: JobKind<Parameters>): JobKind {
  return {
    ...kind,
    check: (parameters, model, inputs) => kind.check(kind.parameters.parse(parameters), model, inputs),
    open: (parameters, run) => kind.open(kind.parameters.parse(parameters), run),
  };
}

/** An item for each line of the data set, which the model works on. */
export function itemOfEachInput(
  run: JobRun,
  work: (model: JobModel, input: JobInput) => Promise<Readonly<Record<string, unknown>>>,
): Pick<JobWork, 'total' | 'items'> {
  async function* items(): AsyncGenerator<JobItem> {
    for await (const { key, input } of run.inputs()) {
      yield { key, run: () => run.use((model) => work(model, input)) };
    }
  }
  return { total: run.inputCount, items: items() };
}

/** Refuses a line that says what only a contrast heeds. */
export function refuseLabels(kind: string, { class: of, pair, topic, answer }: JobInput, param: string): void {
  const [name] = Object.entries({ class: of, pair, topic, answer }).find(([, value]) => value !== undefined) ?? [];
  if (name === undefined) return;
  const message = `'${param}' has '${name}', which jobs of kind '${kind}' do not heed: it is for 'contrast'. Leave it out.`;
  throw new TillerError('invalid_request', message, { param: `${param}.${name}` });
}
