import { Writable } from 'node:stream';
import type { Actions, CliContext } from '../../src/cli/context.ts';
import { runCli } from '../../src/cli/program.ts';
import type { Environment } from '../../src/setting.ts';

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const refuse = () => Promise.reject(new Error('not part of this test'));

/** A stream that remembers what was written to it. */
export function collector(extra: { readonly isTTY?: boolean; readonly columns?: number } = {}) {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { stream: Object.assign(stream, extra), text: () => text };
}

/** Runs a command line in this process; actions that are not given fail when they are called. */
export async function cli(
  argumentList: readonly string[],
  options: { readonly actions?: Partial<Actions>; readonly environment?: Environment; readonly columns?: number } = {},
): Promise<CliRun> {
  const [out, error] = [collector({ columns: options.columns ?? 100 }), collector({ columns: options.columns ?? 100 })];
  const context: CliContext = {
    stdout: out.stream,
    stderr: error.stream,
    environment: options.environment ?? { HOME: '/nowhere' },
    version: '1.2.3',
    actions: {
      ...{ runServe: refuse, runSteer: refuse, runCollect: refuse, acquireModel: refuse, acquireEmbedder: refuse },
      ...{ runSaeLabel: refuse, runSaeScore: refuse, runActivations: refuse, runTaps: refuse },
      ...options.actions,
    },
  };
  const code = await runCli(argumentList, context);
  return { code, stdout: out.text(), stderr: error.text() };
}
