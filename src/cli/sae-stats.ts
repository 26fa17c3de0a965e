import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import { saeSettings, statsSettings } from '../sae-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { withInterrupt } from './with-interrupt.ts';

const notes = `
Begun again with the same texts it goes on where it was cut off, and ends with the same numbers.

Examples:
  tiller sae stats 17-res-4k --texts corpus.jsonl
  zcat corpus.txt.gz | tiller sae stats 17-res-4k --texts -
  tiller sae stats 17-res-4k --prompts prompts.jsonl`;

/** `tiller sae stats <source>`: what each feature does on texts. */
export function addSaeStats(group: Command, context: CliContext): void {
  const command = group
    .command('stats')
    .description(
      "Run texts, or the model's own answers, and keep each feature's density, maximum, histogram and examples.",
    )
    .argument('<source>', 'model/name, or the name alone')
    .addHelpText('after', notes)
    .action(async (source: string, flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(statsSettings, flags, context.environment));
      const { json } = usage(command, () => loadSettings(saeSettings, flags, context.environment));
      const { runSaeStats } = await import('../sae/stats.ts');
      const run = await withInterrupt(context, (signal, display) =>
        runSaeStats(config, source, settings, { ...display, signal }),
      );
      const { texts, tokens, resumed, silent, truncated, version } = run;
      const cut =
        truncated === 0
          ? ''
          : ` ${truncated} tokens had more active features than are read: their weakest are missing.`;
      const text =
        `${run.source}: ${tokens} tokens of ${texts} texts${resumed === 0 ? '' : `, ${resumed} of them read before`}; ` +
        `${silent} features silent. Statistics ${version}.${cut}`;
      context.stdout.write(`${json ? JSON.stringify(run, null, 2) : text}\n`);
    });
  addSettings(command, {
    ...statsSettings,
    ...saeSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}
