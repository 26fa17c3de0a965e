import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { interveneSettings } from '../intervention-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

const examples = `
Examples:
  tiller intervene "The capital of France is" --zero blocks.3.mlp.hook_out --token " Paris"
  tiller intervene "The capital of France is" --splice 17-res-4k --error-term`;

/** `tiller intervene "prompt"`: a prompt as it is, and with activations patched, ablated or reconstructed. */
export function addIntervene(program: Command, context: CliContext): void {
  const command = program
    .command('intervene')
    .description('Run a prompt as it is, and with activations patched, ablated or reconstructed.')
    .argument('<prompt>', 'what to run, as plain text')
    .addHelpText('after', examples)
    .action(async (prompt: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => {
        const found = loadSettings(interveneSettings, flags, context.environment);
        const { zero, mean, splice, interventions } = found;
        if (zero.length + mean.length + splice.length > 0 || interventions !== null) return found;
        throw new TillerError('invalid_request', 'Nothing to do: give --zero, --mean, --splice or --interventions.');
      });
      const { askModel } = await import('../interventions/ask.ts');
      const { interventionRows, interventionsAnswer, readInterventions } = await import(
        '../interventions/intervene-text.ts'
      );
      const { zero, mean, splice, errorTerm, at, interventions, token: tokens, maxTokens: max_tokens, json } = settings;
      const positions = at === null ? {} : { positions: at };
      const wanted = [
        ...zero.map((hook_point) => ({ kind: 'zero', hook_point, ...positions })),
        ...mean.map((hook_point) => ({ kind: 'mean', hook_point, ...positions })),
        ...splice.map((source) => ({ kind: 'splice', source, error_term: errorTerm, ...positions })),
        ...(interventions === null ? [] : await readInterventions(interventions)),
      ];
      const body = { text: prompt, interventions: wanted, tokens, max_tokens };
      const result = await withInterrupt(context, (signal, display) =>
        askModel(config, '/api/v1/interventions', body, interventionsAnswer, { ...display, signal, maxRows: 4 }),
      );
      context.stdout.write(`${json ? JSON.stringify(result, null, 2) : textTable(interventionRows(result))}\n`);
    });
  addSettings(command, {
    ...interveneSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
