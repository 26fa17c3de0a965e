import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { addProfileDelete } from './profile-delete.ts';
import { addProfileExport } from './profile-export.ts';
import { addProfileImport } from './profile-import.ts';
import { addProfileList } from './profile-list.ts';
import { addProfileSave } from './profile-save.ts';
import { addProfileShow } from './profile-show.ts';

const subcommands = [
  addProfileList,
  addProfileShow,
  addProfileSave,
  addProfileExport,
  addProfileImport,
  addProfileDelete,
];

/** `tiller profile`: saved steerings on this machine. */
export function addProfile(program: Command, context: CliContext): void {
  const group = program.command('profile').description('Saved steerings: list, inspect, save, exchange, delete.');
  for (const add of subcommands) add(group, context);
}
