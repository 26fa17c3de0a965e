import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { nearest, TillerError } from '../../engine/core/index.ts';
import type { JobRequest, JobService, JobView } from '../../routes/jobs-port.ts';
import {
  addBackgroundJob,
  type BackgroundJob,
  cancelBackgroundJob,
  listBackgroundJobs,
  readBackgroundJob,
  removeBackgroundJob,
  type Store,
} from '../../sae-registry/index.ts';
import { JobFolder } from './job-folder.ts';
import { type JobKind, type JobModel, refuseLabels } from './job-kind.ts';
import type { JobRunner } from './job-runner.ts';

export interface JobServiceOptions {
  /** Null: there is none, and nothing can be queued. */
  readonly store: Store | null;
  /** The data directory; null: there is none. */
  readonly dataDir: string | null;
  readonly kinds: readonly JobKind[];
  readonly runner: JobRunner | null;
  readonly lease: (model: string | null, signal: AbortSignal) => Promise<{ readonly model: JobModel; release(): void }>;
}

/** Where jobs have their files, and where data sets lie. */
export const jobFolders = (dataDir: string) => ({ jobs: join(dataDir, 'jobs'), datasets: join(dataDir, 'datasets') });

/** `Services.jobs` over a store and a runner. */
export function createJobService(options: JobServiceOptions): JobService {
  const { kinds, runner } = options;
  const open = () => {
    const { store, dataDir } = options;
    if (store && dataDir !== null) return { store, ...jobFolders(dataDir) };
    throw new TillerError('unsupported', 'This service has no data directory, so it runs no jobs in the background.');
  };
  return {
    kinds: () => kinds.map(({ name, summary }) => ({ name, summary })),
    async submit(request, signal) {
      const { store, jobs, datasets } = open();
      const { kind, parameters } = checked(request, kinds);
      const { model, release } = await options.lease(request.model, signal);
      const id = randomUUID();
      const files = new JobFolder(jobs, id);
      try {
        const total = await files.keep(dataOf(request, datasets), (input, param) => {
          if (kind.checkInput) kind.checkInput(input, param);
          else refuseLabels(kind.name, input, param);
        });
        kind.check(parameters, model, total);
        const job = { id, kind: kind.name, model: model.ready.id, parameters, total };
        const added = addBackgroundJob(store, job);
        runner?.wake();
        return toView(added);
      } catch (error) {
        files.remove();
        throw error;
      } finally {
        release();
      }
    },
    list: (state) => listBackgroundJobs(open().store, state).map(toView),
    get: (id) => toView(readBackgroundJob(open().store, id)),
    cancel(id) {
      const job = cancelBackgroundJob(open().store, id);
      runner?.cancel(id);
      return toView(job);
    },
    remove(id) {
      const { store, jobs } = open();
      removeBackgroundJob(store, id);
      new JobFolder(jobs, id).remove();
    },
    async results(id, format) {
      const { store, jobs } = open();
      const { state } = readBackgroundJob(store, id);
      const files = new JobFolder(jobs, id);
      if (format === 'jsonl') {
        return file('application/x-ndjson', files.results, await files.size());
      }
      if (state !== 'done' || !existsSync(files.tensors)) {
        const why =
          state === 'done' ? 'Jobs of this kind make no tensors' : `The job is ${state}, and tensors come at its end`;
        throw new TillerError('invalid_request', `${why}: ask for application/x-ndjson.`, { param: 'Accept' });
      }
      return file('application/vnd.safetensors', files.tensors, statSync(files.tensors).size);
    },
  };
}

function file(contentType: string, path: string, bytes: number) {
  return {
    contentType,
    bytes,
    stream: () => {
      const content = bytes === 0 ? Readable.from([]) : createReadStream(path, { end: bytes - 1 });
      return Readable.toWeb(content) as ReadableStream<Uint8Array>;
    },
  };
}

/** The kind and its parameters. */
function checked(
  request: JobRequest,
  kinds: readonly JobKind[],
): { readonly kind: JobKind; readonly parameters: unknown } {
  const names = kinds.map(({ name }) => name);
  const kind = kinds.find(({ name }) => name === request.kind);
  if (!kind) {
    const message = `There are no jobs of the kind '${request.kind.slice(0, 100)}'. There are: ${names.join(', ')}.`;
    throw new TillerError('invalid_request', message, { param: 'kind', suggestions: nearest(request.kind, names) });
  }
  const parsed = kind.parameters.safeParse(request.parameters);
  if (parsed.success) return { kind, parameters: parsed.data };
  const [issue] = parsed.error.issues;
  const key = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const param = ['parameters', ...(issue?.path ?? []), ...key].join('.');
  throw new TillerError(
    'invalid_request',
    `'${param}' is not valid: ${z.prettifyError(parsed.error).split('\n')[0]}.`,
    { param },
  );
}

/** The data set as it was given. Throws where it is neither or both, and for a name that leads out of its folder. */
function dataOf({ inputs, file: name }: JobRequest, datasets: string) {
  if ((inputs === null) === (name === null)) {
    throw new TillerError('invalid_request', "Give exactly one of 'inputs' and 'file'.", { param: 'inputs' });
  }
  if (inputs !== null) return inputs;
  if (name === null || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    const message = "'file' is the name of a file in the data directory's folder 'datasets', without any path.";
    throw new TillerError('invalid_request', message, { param: 'file' });
  }
  const path = join(datasets, name);
  if (existsSync(path) && statSync(path).isFile()) return { file: path };
  throw new TillerError(
    'invalid_request',
    `There is no data set '${name}' in the data directory's folder 'datasets'.`,
    {
      param: 'file',
    },
  );
}

function toView({ cancel, ...job }: BackgroundJob): JobView {
  return { ...job, cancelling: cancel && job.state === 'running' };
}
