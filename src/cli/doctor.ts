import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { doctorSettings } from '../command-settings.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { fatalProblems, renderReport } from './doctor-text.ts';
import { addSettings, pick, usage } from './options.ts';

/** Settings of `tiller serve` that its report depends on. */
const doctorConcerns = [
  'cacheDir',
  'maxRows',
  'context',
  'keyValueBytes',
  'prefixCacheBytes',
  'saeMemoryBytes',
  'encoderMemoryBytes',
  'unembeddingMemoryBytes',
  'threads',
  'precision',
  'operators',
  'logLevel',
] as const;

/** `tiller doctor`: what this machine can do, what is cached, which models fit. Fails when Tiller cannot run here. */
export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .description('Say what this machine can do, what is in the cache and which models fit in memory.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const { json } = usage(command, () => loadSettings(doctorSettings, flags, context.environment));
      const { gatherReport } = await import('./doctor-report.ts');
      const report = await gatherReport(config, context.version);
      context.stdout.write(`${json ? JSON.stringify(report, null, 2) : renderReport(report)}\n`);
      const problems = fatalProblems(report);
      if (problems.length > 0) throw new TillerError('runtime_unavailable', problems.join(' '));
    });
  addSettings(command, { ...doctorSettings, ...pick(serveSettings, ...doctorConcerns) });
}
