import { type Command, Option } from 'commander';
import { TillerError } from '../../engine/core/index.ts';
import type { Setting, SettingTable } from '../setting.ts';

/** Adds the flags of a settings table to a command; the help says which variable does the same and what the default is. */
export function addSettings(command: Command, table: SettingTable): Command {
  for (const entry of Object.values(table)) command.addOption(toOption(entry));
  return command;
}

function toOption(entry: Setting<unknown>): Option {
  const usual = entry.defaultText === null ? '' : `; default: ${entry.defaultText}`;
  const option = new Option(entry.flags, `${entry.description} (${entry.variable}${usual})`);
  // Defaults and variables are resolved by readSettings, so commander holds only what was typed.
  if (entry.repeatable) {
    option.argParser((value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]);
  }
  return option;
}

/** Only some entries of a table. */
export function pick<Table extends SettingTable, Key extends keyof Table>(
  table: Table,
  ...keys: Key[]
): Pick<Table, Key> {
  return Object.fromEntries(keys.map((key) => [key, table[key]])) as Pick<Table, Key>;
}

/** Runs what checks the command line; its errors are usage errors (exit code 2) with a hint at --help. */
export function usage<T>(command: Command, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof TillerError)) throw error;
    return command.error(`tiller: ${error.message} See ${fullName(command)} --help.`, {
      code: 'tiller.usage',
      exitCode: 2,
    });
  }
}

/** As it is typed: `tiller sae add`. */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}
