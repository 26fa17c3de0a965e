import type { ChatPrompt } from '../../sae-registry/labelling/index.ts';
import { printable } from '../cli/columns.ts';
import { describeTokens, type Prices, type Spending } from './spending.ts';

/** A question as it goes to the model, for a person to read. */
export function promptText({ system, user }: ChatPrompt): string {
  return printable(`--- system ---\n${system}\n--- user ---\n${user}`);
}

/** A line for each reason. */
export function failureLines(failed: ReadonlyMap<string, number>): string[] {
  return [...failed].map(([reason, count]) => `${count} x ${reason}`);
}

export function spentLine(spending: Spending, prices: Prices): string {
  const guess =
    spending.estimated === 0 ? '' : ` (the endpoint did not say for ${spending.estimated} answers: estimated)`;
  return `Took ${spending.requests} requests: ${describeTokens(spending, prices)}${guess}.`;
}

/** `1 feature`, `2 features` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
