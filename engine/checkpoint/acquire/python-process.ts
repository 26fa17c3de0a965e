import { spawn } from 'node:child_process';
import { TillerError } from '../../core/index.ts';
import { errorCode } from './describe.ts';
import type { AcquireOptions } from './options.ts';

export interface FinishedProcess {
  /** Null when it was killed. */
  readonly exitCode: number | null;
  /** The end of what it wrote to standard output and standard error, as it came. */
  readonly output: string;
}

/** `py` is the launcher of Windows. */
const defaultCommands: readonly (readonly string[])[] =
  process.platform === 'win32' ? [['python'], ['py', '-3'], ['python3']] : [['python3'], ['python']];

const keptOutput = 16 * 1024;

/**
 * Runs Python with the first command that exists and whose Python has the module asked for (`-m`). Throws `model_unavailable`
 * when there is none. `temporary`: folder for its temporary files.
 */
export async function runPython(
  argumentList: readonly string[],
  options: Pick<AcquireOptions, 'spawn' | 'pythonCommands' | 'childEnvironment'> & {
    readonly signal: AbortSignal;
    readonly temporary?: string;
  },
): Promise<FinishedProcess> {
  const commands = options.pythonCommands ?? defaultCommands;
  const missing: string[] = [];
  for (const command of commands) {
    const finished = await runCommand([...command, ...argumentList], options);
    if (finished === null) missing.push(`${command.join(' ')} not found`);
    else if (finished.exitCode !== 0 && /No module named ['"]?pip/.test(finished.output))
      missing.push(`${command.join(' ')} has no pip`);
    // The Microsoft Store's placeholder for an uninstalled Python.
    else if (finished.exitCode === 9009) missing.push(`${command.join(' ')} not installed`);
    else return finished;
  }
  throw new TillerError('model_unavailable', `no Python with pip (${missing.join(', ')})`);
}

/** Null when the command does not exist. */
async function runCommand(
  [command = '', ...argumentList]: readonly string[],
  options: Parameters<typeof runPython>[1],
): Promise<FinishedProcess | null> {
  options.signal.throwIfAborted();
  const child = (options.spawn ?? spawn)(command, argumentList, {
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    env: environmentOf(options),
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString('utf8')).slice(-keptOutput);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const stop = () => child.kill();
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<FinishedProcess | null>((resolve, reject) => {
      child.once('error', (error) => (errorCode(error) === 'ENOENT' ? resolve(null) : reject(error)));
      child.once('close', (exitCode) => resolve({ exitCode, output }));
    });
  } finally {
    options.signal.removeEventListener('abort', stop);
    options.signal.throwIfAborted();
  }
}

function environmentOf(options: Parameters<typeof runPython>[1]): NodeJS.ProcessEnv | undefined {
  if (!options.childEnvironment) return undefined;
  const { temporary } = options;
  return {
    ...options.childEnvironment,
    PYTHONUNBUFFERED: '1',
    ...(temporary ? { TMPDIR: temporary, TEMP: temporary, TMP: temporary } : {}),
  };
}
