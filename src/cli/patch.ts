import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { patchSettings } from '../intervention-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { textTable } from './text-table.ts';
import { withInterrupt } from './with-interrupt.ts';

const examples = `
Example:
  tiller patch --clean "The Eiffel Tower is in the city of" --corrupted "The Colosseum is in the city of" --answer " Paris" --contrast " Rome"`;

/** `tiller patch`: what each layer and position of a clean prompt restores in a corrupted one. */
export function addPatch(program: Command, context: CliContext): void {
  const command = program
    .command('patch')
    .description('Put activations of a clean prompt into runs of a corrupted one, a layer and position a run.')
    .addHelpText('after', examples)
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => {
        const found = loadSettings(patchSettings, flags, context.environment);
        for (const name of ['clean', 'corrupted', 'answer'] as const) {
          if (found[name] === null) throw new TillerError('invalid_request', `Give --${name}.`, { param: name });
        }
        return found;
      });
      const { askModel } = await import('../interventions/ask.ts');
      const { patchingAnswer, patchRows } = await import('../interventions/patch-table.ts');
      const { clean, corrupted, answer, contrast, hook, layers, at: positions } = settings;
      const body = {
        ...{ clean: { text: clean }, corrupted: { text: corrupted }, answer, hook },
        ...(contrast === null ? {} : { contrast }),
        ...(layers === null ? {} : { layers }),
        ...(positions === null ? {} : { positions }),
      };
      const result = await withInterrupt(context, (signal, display) =>
        askModel(config, '/api/v1/activation-patching', body, patchingAnswer, { ...display, signal, maxRows: 16 }),
      );
      if (settings.json) {
        context.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
        return;
      }
      const { metric, normalised } = result;
      const what = contrast === null ? `logit of ${answer}` : `logit of ${answer} less that of ${contrast}`;
      context.stdout.write(
        `${textTable(patchRows(result))}\n\n${what}: clean ${metric.clean.toFixed(3)}, corrupted ${metric.corrupted.toFixed(3)}. ` +
          `${normalised === null ? 'These are equal: effects are raw.' : 'Effects: 0 is the corrupted prompt, 1 the clean one.'}\n`,
      );
    });
  addSettings(command, {
    ...patchSettings,
    ...pick(serveSettings, 'model', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
