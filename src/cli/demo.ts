import type { Command } from 'commander';
import { loadConfig, loadSettings } from '../config.ts';
import type { Persona, PersonalityDemo } from '../contrast/personality.ts';
import { demoSettings } from '../contrast-settings.ts';
import { serveSettings } from '../serve-settings.ts';
import { printable, sideBySide, wrap } from './columns.ts';
import type { CliContext } from './context.ts';
import { addSettings, pick, usage } from './options.ts';
import { withInterrupt } from './with-interrupt.ts';

/** `tiller demo personality`: two personas out of one model. */
export function addDemo(program: Command, context: CliContext): void {
  const group = program.command('demo').description('Demonstrations in one command.');
  const command = group
    .command('personality')
    .description('Contrast two personas, make the vector between them, find its dose, and answer a prompt as each.')
    .action(async (flags: Record<string, unknown>) => {
      const config = usage(command, () => loadConfig(flags, context.environment));
      const settings = usage(command, () => loadSettings(demoSettings, flags, context.environment));
      const { runPersonality } = await import('../contrast/personality.ts');
      const demo = await withInterrupt(context, (signal, display) =>
        runPersonality(config, settings, {
          ...display,
          signal,
          onStage: (text) => context.stderr.write(`${text}\n`),
        }),
      );
      const columns = context.stdout.columns ?? 80;
      context.stdout.write(`${settings.json ? JSON.stringify(demo, null, 2) : personalityText(demo, columns)}\n`);
    });
  addSettings(command, {
    ...demoSettings,
    ...pick(serveSettings, 'model', 'source', 'threads', 'context', 'cacheDir', 'dataDir', 'offline', 'logLevel'),
  });
}

/** What was found, the unsteered reply, and both personas' side by side. */
export function personalityText(
  { data, prompt, contrast, unsteered, personas }: PersonalityDemo,
  columns: number,
): string {
  const { vector, bag_of_words: words } = contrast;
  const found = `${data}: vector at ${vector.hook_point}, held-out AUROC ${vector.held_out.auroc.toFixed(4)} (words alone ${words.auroc.toFixed(4)})`;
  const [left, right] = personas.map((persona) => ({
    title: persona.side,
    text: persona.reply ?? 'No strength moved the replies and left them fluent.',
  }));
  return [
    ...wrap(printable(found), columns),
    '',
    ...wrap(`> ${prompt}`, columns),
    '',
    'unsteered',
    ...wrap(unsteered, columns),
    '',
    ...(left && right ? [sideBySide(left, right, columns), ''] : []),
    ...personas.flatMap((persona) => wrap(doseOf(persona), columns)),
  ].join('\n');
}

function doseOf({ side, strength, change, perplexityRatio }: Persona): string {
  if (strength === null) return `${side}: no dose`;
  const moved = change === null ? '' : `, moves test replies by ${change.toFixed(1)} standard deviations`;
  const cost = perplexityRatio === null ? '' : `, perplexity ×${perplexityRatio.toFixed(2)}`;
  return `${side}: strength ${strength}${moved}${cost}`;
}
