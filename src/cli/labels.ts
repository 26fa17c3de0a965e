import type { Command } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import type { LabelImport } from '../../sae-registry/index.ts';
import { loadConfig, loadSettings } from '../config.ts';
import { labelsExportSettings, labelsImportSettings } from '../registry-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addLabelsCompare } from './labels-compare.ts';
import { addSettings, pick, usage } from './options.ts';

/** Bad lines that are shown one by one. */
const shownLines = 20;

/** `tiller labels import`, `export` and `compare`. */
export function addLabels(program: Command, context: CliContext): void {
  const group = program
    .command('labels')
    .description("Labels of a source's features: read from and written to files, compared.");
  addImport(group, context);
  addExport(group, context);
  addLabelsCompare(group, context);
}

function addImport(group: Command, context: CliContext): void {
  const command = group
    .command('import')
    .description('Add the labels of a label file (JSON lines, docs/registry.md) to a source.')
    .argument('<file>', 'the label file')
    .action(async (file: string, flags: Record<string, unknown>) => {
      const { source: _source, ...rest } = flags;
      const config = usage(command, () => loadConfig(rest, context.environment));
      const settings = usage(command, () => loadSettings(labelsImportSettings, flags, context.environment));
      const { method, author, json } = settings;
      const source = usage(command, () => theSource(settings));
      const { importLabelFile } = await import('../labels/import.ts');
      const result = await importLabelFile(config, file, { source, method, author });
      if (json) context.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
      else report(context, file, result);
      const { added, updated, unchanged, badLines } = result;
      if (badLines > 0 && added + updated + unchanged === 0) {
        throw new TillerError('invalid_request', `No line of ${file} is a label.`, { param: 'file' });
      }
    });
  addSettings(command, { ...labelsImportSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function addExport(group: Command, context: CliContext): void {
  const command = group
    .command('export')
    .description('Write the labels of a source as a label file.')
    .action(async (flags: Record<string, unknown>) => {
      const { source: _source, ...rest } = flags;
      const config = usage(command, () => loadConfig(rest, context.environment));
      const settings = usage(command, () => loadSettings(labelsExportSettings, flags, context.environment));
      const source = usage(command, () => theSource(settings));
      const { exportLabelFile } = await import('../labels/export.ts');
      await exportLabelFile(config, { source, out: settings.out }, context.stdout);
    });
  addSettings(command, { ...labelsExportSettings, ...pick(serveSettings, 'dataDir', 'logLevel') });
}

function theSource({ source }: { readonly source: string | null }): string {
  if (source !== null) return source;
  throw new TillerError('invalid_request', 'Name the source: --source model/name, as tiller sae list shows it.', {
    param: 'source',
  });
}

function report({ stdout, stderr }: CliContext, file: string, result: LabelImport): void {
  const { added, updated, unchanged, bad, badLines } = result;
  for (const { line, reason } of bad.slice(0, shownLines)) stderr.write(`${file}, line ${line} ${oneLine(reason)}\n`);
  if (badLines > shownLines) stderr.write(`… and ${badLines - Math.min(shownLines, bad.length)} more\n`);
  const left = badLines === 0 ? '' : `; ${badLines} lines left out`;
  stdout.write(`${added} labels added, ${updated} brought up to date, ${unchanged} there already${left}.\n`);
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
