import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { jobSubmitSettings } from '../job-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { withTimes } from './job-times.ts';
import { addSettings, pick, usage } from './options.ts';
import { required } from './vectors-files.ts';
import { withInterrupt } from './with-interrupt.ts';

const examples = `
Examples:
  tiller jobs submit activations --request texts.json
  tiller jobs submit evaluate --request texts.json --wait`;

/** `tiller jobs submit <kind>`: queues work over a data set, or does it. */
export function addJobsSubmit(group: Command, context: CliContext): void {
  const command = group
    .command('submit')
    .description('Queue a job for the service over this data directory, or with --wait do it here.')
    .argument('<kind>', 'activations, contrast, evaluate, statistics or sweep')
    .addHelpText('after', examples)
    .action(async (kind: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { request, wait, json } = usage(command, () => loadSettings(jobSubmitSettings, flags, context.environment));
      const path = usage(command, () => required(request, 'request', 'Say what to do: --request.'));
      const { readJobRequest, submitJob } = await import('../jobs/submit-command.ts');
      const body = usage(command, () => readJobRequest(path, kind));
      const { job, results } = await withInterrupt(context, (signal, display) =>
        submitJob(config, { body, wait }, { ...display, signal }),
      );
      context.stdout.write(json ? `${JSON.stringify({ ...withTimes(job), results }, null, 2)}\n` : `${job.id}\n`);
      const { state, error } = job;
      const told = (text: string) => context.stderr.write(`${text}\n`);
      if (!wait) told(`It is queued: a service over ${config.dataDir} that offers ${job.model} does it.`);
      else if (state === 'done') told(`It is done: ${results}`);
      else if (state === 'failed') throw new TillerError('invalid_request', `The job failed: ${error?.message ?? ''}`);
      else if (state === 'cancelled') throw new TillerError('cancelled', 'The job was cancelled.');
      else {
        const message = `Interrupted: the job stays (${job.done} items done) and goes on with a service, or ends with tiller jobs cancel ${job.id}.`;
        throw new TillerError('cancelled', message);
      }
    });
  addSettings(command, {
    ...jobSubmitSettings,
    ...pick(
      serveSettings,
      ...(['model', 'source', 'threads', 'maxRows', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'] as const),
    ),
  });
}
