import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { addSaeAdd } from './sae-add.ts';
import { addSaeList } from './sae-list.ts';
import { addSaeRemove } from './sae-remove.ts';
import { addSaeShow } from './sae-show.ts';

/** One subcommand of `tiller sae`, a file each. */
export type AddSaeCommand = (group: Command, context: CliContext) => void;

const subcommands: readonly AddSaeCommand[] = [addSaeAdd, addSaeList, addSaeShow, addSaeRemove];

/** `tiller sae`: dictionaries on this machine and where to get others. */
export function addSae(program: Command, context: CliContext): void {
  const group = program.command('sae').description('Dictionaries (SAEs, transcoders): add, list, inspect, compare.');
  for (const add of subcommands) add(group, context);
}
