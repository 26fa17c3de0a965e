import type { Command } from 'commander';
import type { BackgroundJob } from '../../sae-registry/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { profileSettings } from '../profile-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { time, withTimes } from './job-times.ts';
import { addJobsSubmit } from './jobs-submit.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';

/** `tiller jobs`: what the service does in the background on this machine. */
export function addJobs(program: Command, context: CliContext): void {
  const group = program.command('jobs').description('Work in the background: submit, list, inspect, cancel.');
  for (const add of [addJobsSubmit, addList, addShow, addCancel]) add(group, context);
}

function addList(group: Command, context: CliContext): void {
  const command = group
    .command('list')
    .description('All jobs, newest first.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(profileSettings, flags, context.environment));
      const { listStoredJobs } = await import('../jobs/stored-jobs.ts');
      const jobs = await listStoredJobs(config);
      const head = ['job', 'kind', 'model', 'state', 'done', 'created'];
      const rows = jobs.map((job) => [
        job.id,
        job.kind,
        job.model,
        job.state,
        progressOf(job),
        time(job.addedAt) ?? '',
      ]);
      const text = () => (rows.length === 0 ? 'There is none.' : textTable([head, ...rows]));
      context.stdout.write(`${json ? JSON.stringify(jobs.map(forPrograms), null, 2) : text()}\n`);
    });
  addSettings(command, { ...profileSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function addShow(group: Command, context: CliContext): void {
  const command = group
    .command('show')
    .description('How far a job has come, and what it came to, as JSON.')
    .argument('<job>', 'its id')
    .action(async (id: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { readStoredJob } = await import('../jobs/stored-jobs.ts');
      context.stdout.write(`${JSON.stringify(forPrograms(await readStoredJob(config, id)), null, 2)}\n`);
    });
  addSettings(command, pick(serveSettings, 'dataDir', 'logLevel'));
}

function addCancel(group: Command, context: CliContext): void {
  const command = group
    .command('cancel')
    .description('End a job; what it has done stays. One that runs ends within a second or so.')
    .argument('<job>', 'its id')
    .action(async (id: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { cancelStoredJob } = await import('../jobs/stored-jobs.ts');
      const { state } = await cancelStoredJob(config, id);
      context.stderr.write(`${state === 'running' ? 'It is being cancelled' : `It is ${state}`}.\n`);
    });
  addSettings(command, pick(serveSettings, 'dataDir', 'logLevel'));
}

function progressOf({ done, total }: BackgroundJob): string {
  return total === null ? String(done) : `${done} of ${total}`;
}

function forPrograms({ cancel, ...job }: BackgroundJob) {
  return { ...withTimes(job), cancelling: cancel && job.state === 'running' };
}
