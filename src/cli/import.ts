import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import type { NeuronpediaImport } from '../../sae-registry/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { neuronpediaSettings } from '../registry-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { withInterrupt } from './with-interrupt.ts';

/** Bad lines that are shown one by one. */
const shownLines = 20;

/** `tiller import neuronpedia`: what Neuronpedia knows of a dictionary. */
export function addImport(program: Command, context: CliContext): void {
  const group = program.command('import').description('Bring in what others know of a dictionary.');
  const command = group
    .command('neuronpedia')
    .description("Read a Neuronpedia export: a source's features/, activations/, explanations/ with batch-N.jsonl.gz.")
    .argument('<files...>', 'folders or files of the export')
    .action(async (paths: string[], flags: Record<string, unknown>) => {
      const { source: _source, ...rest } = flags;
      const config = usage(command, () => loadConfig(rest, context.environment));
      const { source, from, json } = usage(command, () =>
        loadSettings(neuronpediaSettings, flags, context.environment),
      );
      const id = usage(command, () => {
        if (source !== null) return source;
        throw new TillerError('invalid_request', 'Name the source that it is of: --source model/name.', {
          param: 'source',
        });
      });
      const { importNeuronpediaExport } = await import('../imports/neuronpedia.ts');
      const result = await withInterrupt(context, (signal, { onProgress }) =>
        importNeuronpediaExport(config, id, { paths, from, signal, onProgress }),
      );
      if (json) context.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
      else report(context, result);
    });
  addSettings(command, { ...neuronpediaSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function report({ stdout, stderr }: CliContext, result: NeuronpediaImport): void {
  const { files, skipped, features, labels, examples, withoutHistogram, bad, badLines } = result;
  for (const { file, line, reason } of bad.slice(0, shownLines)) {
    stderr.write(`${file}, line ${line} ${reason.replace(/\s*\n\s*/g, ' ')}\n`);
  }
  if (badLines > shownLines) stderr.write(`… and ${badLines - Math.min(shownLines, bad.length)} more\n`);
  const notes = [
    skipped > 0 ? `${skipped} files had been read before` : '',
    withoutHistogram > 0 ? `${withoutHistogram} features without a histogram keep their figures` : '',
    badLines > 0 ? `${badLines} lines left out` : '',
  ].filter(Boolean);
  const read = `${files} files read: statistics of ${features} features, ${labels} labels, ${examples} examples`;
  stdout.write(`${[read, ...notes].join('; ')}.\n`);
}
