import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { controlVectorSettings, saelensSettings } from '../registry-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';

/** `tiller export control-vector` and `tiller export saelens`: what others can use. */
export function addExport(program: Command, context: CliContext): void {
  const group = program.command('export').description('Write features, vectors and dictionaries for other programs.');
  addControlVector(group, context);
  addSaelens(group, context);
}

function addControlVector(group: Command, context: CliContext): void {
  const command = group
    .command('control-vector')
    .description('Write features and saved vectors as a control vector (GGUF) for llama.cpp and repeng.')
    .action(async (flags: Record<string, unknown>) => {
      const { feature, vector, ...rest } = flags;
      const config = usage(command, () => loadConfig(rest, context.environment));
      const settings = usage(command, () => loadSettings(controlVectorSettings, flags, context.environment));
      const out = usage(command, () => theOut(settings.out));
      const { feature: features, vector: vectors, unit, modelHint } = settings;
      usage(command, () => {
        if (features.length + vectors.length > 0) return;
        throw new TillerError('invalid_request', 'Nothing to write: give --feature or --vector.');
      });
      const { exportControlVector } = await import('../exports/control-vector.ts');
      const path = await exportControlVector(config, { features, vectors, unit, modelHint, out });
      context.stdout.write(`${path}\n`);
    });
  addSettings(command, { ...controlVectorSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function addSaelens(group: Command, context: CliContext): void {
  const command = group
    .command('saelens')
    .description('Write a dictionary as a folder that SAELens 6 loads, in float32.')
    .argument('<source>', 'model/name, as tiller sae list shows it')
    .action(async (id: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(saelensSettings, flags, context.environment));
      const out = usage(command, () => theOut(settings.out));
      const { exportSaelens } = await import('../exports/saelens.ts');
      context.stdout.write(`${await exportSaelens(config, id, out)}\n`);
    });
  addSettings(command, { ...saelensSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function theOut(out: string | null): string {
  if (out !== null) return out;
  throw new TillerError('invalid_request', 'Say where to write: --out.', { param: 'out' });
}
