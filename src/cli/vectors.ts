import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { addVectorsCombine } from './vectors-combine.ts';
import { addVectorsEvaluate } from './vectors-evaluate.ts';
import { addVectorsDelete, addVectorsExport, addVectorsImport } from './vectors-files.ts';
import { addVectorsList, addVectorsShow } from './vectors-list.ts';
import { addVectorsSimilarity } from './vectors-similarity.ts';

const subcommands = [
  addVectorsList,
  addVectorsShow,
  addVectorsImport,
  addVectorsExport,
  addVectorsCombine,
  addVectorsSimilarity,
  addVectorsEvaluate,
  addVectorsDelete,
];

/** `tiller vectors`: saved directions on this machine. */
export function addVectors(program: Command, context: CliContext): void {
  const group = program
    .command('vectors')
    .description('Saved vectors: list, exchange, combine, compare, evaluate, delete.');
  for (const add of subcommands) add(group, context);
}
