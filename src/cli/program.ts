import { Command, CommanderError } from 'commander';
import { asTillerError } from '../../engine/core/index.ts';
import { addActivations } from './activations.ts';
import { addAutoConditional } from './auto-conditional.ts';
import { addAutoSteer } from './auto-steer.ts';
import { addCollect } from './collect.ts';
import type { CliContext } from './context.ts';
import { addContrast } from './contrast.ts';
import { addDemo } from './demo.ts';
import { addDoctor } from './doctor.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';
import { addIntervene } from './intervene.ts';
import { addJobs } from './jobs.ts';
import { addLabels } from './labels.ts';
import { addLogits } from './logits.ts';
import { addPatch } from './patch.ts';
import { addProfile } from './profile.ts';
import { addPull } from './pull.ts';
import { addSae } from './sae.ts';
import { addServe } from './serve.ts';
import { addSteer } from './steer.ts';
import { addSweep } from './sweep.ts';
import { addTaps } from './taps.ts';
import { addVectors } from './vectors.ts';

/** The `tiller` command with all its subcommands. Throws CommanderError instead of ending the process. */
export function createProgram(context: CliContext): Command {
  const program = new Command('tiller')
    .description('Serve a language model and its sparse autoencoders: steer, inspect and watch it while it answers.')
    .version(context.version, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns ?? 100,
      getErrHelpWidth: () => context.stderr.columns ?? 100,
    })
    .showSuggestionAfterError();
  for (const add of [
    addServe,
    addPull,
    addSteer,
    addLogits,
    addActivations,
    addTaps,
    addCollect,
    addDoctor,
    addSae,
    addProfile,
    addVectors,
    addJobs,
    addLabels,
    addImport,
    addExport,
    addContrast,
    addSweep,
    addAutoSteer,
    addAutoConditional,
    addDemo,
    addIntervene,
    addPatch,
  ])
    add(program, context);
  return program;
}

/**
 * Runs one command line (without `node` and the script). Exit code: 0 done, 1 failed (one line on standard error, a stack
 * only at log level debug or trace), 2 wrong usage.
 */
export async function runCli(argumentList: readonly string[], context: CliContext): Promise<number> {
  const program = createProgram(context);
  try {
    await program.parseAsync([...argumentList], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    context.stderr.write(`tiller: ${failureLine(error)}\n`);
    if (wantsStack(argumentList, context) && error instanceof Error) context.stderr.write(`${describeStack(error)}\n`);
    return 1;
  }
}

function failureLine(error: unknown): string {
  const { message, suggestions } = asTillerError(error);
  const unsaid = suggestions.filter((name) => !message.includes(name));
  const line = message.replace(/\s*\n\s*/g, ' ');
  return unsaid.length > 0 ? `${line} Nearest: ${unsaid.join(', ')}.` : line;
}

function describeStack(error: Error): string {
  const cause = error.cause instanceof Error ? `\nCaused by: ${describeStack(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

function wantsStack(argumentList: readonly string[], context: CliContext): boolean {
  const at = argumentList.lastIndexOf('--log-level');
  const joined = argumentList.find((word) => word.startsWith('--log-level='))?.slice('--log-level='.length);
  const level = joined ?? (at >= 0 ? argumentList[at + 1] : context.environment.TILLER_LOG_LEVEL);
  return level === 'debug' || level === 'trace';
}
