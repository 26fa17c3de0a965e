/** How a checkpoint holds its matrices. */
export type Stored = 'bf16' | 'q4';

/** A precision over a stored type, by the name that `--precisions` takes. */
export interface Choice {
  readonly name: string;
  readonly precision: string;
  readonly stored: Stored;
  /** In the table. */
  readonly title: string;
}

export const choices: readonly Choice[] = [
  { name: 'int8', precision: 'int8', stored: 'bf16', title: 'int8' },
  { name: 'f32', precision: 'f32', stored: 'bf16', title: 'f32 over BF16' },
  { name: 'blocks', precision: 'blocks', stored: 'q4', title: 'blocks (4 bits)' },
  { name: 'f32-q4', precision: 'f32', stored: 'q4', title: 'f32 over 4 bits' },
];

/** Of those that are asked for, in the order that needs each file once. Throws for a name that there is not. */
export function chosen<Named extends { readonly name: string }>(
  all: readonly Named[],
  names: readonly string[],
): Named[] {
  const unknown = names.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0) {
    throw new Error(`There is no '${unknown.join("', '")}'; there are ${all.map(({ name }) => name).join(', ')}.`);
  }
  return all.filter(({ name }) => names.includes(name));
}
