import { z } from 'zod';
import { TillerError } from '../../engine/index.ts';
import type { JobView } from '../../routes/jobs-port.ts';
import type { Config } from '../config.ts';
import { withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';
import { readJsonFile } from '../read-json-file.ts';
import { JobFolder } from './job-folder.ts';
import { jobFolders } from './job-services.ts';

const requestSchema = z.looseObject({ kind: z.string().optional(), model: z.unknown().optional() });
const addedSchema = z.object({ id: z.string() });
/** How often a job that is waited for is looked at, in milliseconds. */
const lookEvery = 500;

/** A job that the command line queued. */
export interface SubmittedJob {
  /** As it has ended, or as it was left where the command was interrupted; where it was not waited for, as it was queued. */
  readonly job: JobView;
  /** Where the lines of its results are. */
  readonly results: string;
}

/** A request's file as the body of `POST /api/v1/jobs`. Throws `invalid_request` where it is none, or says another kind or a model. */
export function readJobRequest(path: string, kind: string): object {
  const refuse = (message: string): never => {
    throw new TillerError('invalid_request', message, { param: 'request' });
  };
  const parsed = requestSchema.safeParse(readJsonFile(path, 'request'));
  if (!parsed.success) return refuse(`${path} holds no request: an object with 'inputs' or 'file' is wanted.`);
  const { kind: said = kind, model, ...body } = parsed.data;
  if (said !== kind) return refuse(`${path} is a request for a job of kind '${said}', not '${kind}'.`);
  if (model !== undefined) return refuse(`${path} names a model: say it with --model, and leave it out there.`);
  return { ...body, kind };
}

/**
 * `tiller jobs submit`: loads the model, has the request checked as a service would, and queues the job. Without `wait` it is left to a
 * service over the same data directory; with it this process does it, unless a service got it first, and waits for its end.
 */
export async function submitJob(
  config: Config,
  { body, wait }: { readonly body: object; readonly wait: boolean },
  options: OpenModelOptions & { readonly signal: AbortSignal },
): Promise<SubmittedJob> {
  return withLocalService(config, options, async ({ post, services }) => {
    const { id } = addedSchema.parse(await post('/api/v1/jobs', body));
    const { results } = new JobFolder(jobFolders(config.dataDir).jobs, id);
    if (!wait) return { job: services.jobs.get(id), results };
    const look = setInterval(() => {
      const { done, total } = services.jobs.get(id);
      options.onProgress?.({ label: `Job ${id}`, done, total, unit: 'items' });
    }, lookEvery);
    try {
      return { job: await services.finishJob(id, options.signal), results };
    } finally {
      clearInterval(look);
    }
  });
}
