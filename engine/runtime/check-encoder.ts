import { type Encoder, TillerError } from '../core/index.ts';

/**
 * Checks an encoder against the model, and what native code relies on and does not check itself. Throws `unsupported` where the model
 * has no such place, `internal` where its arrays disagree.
 */
export function checkEncoder(encoder: Encoder, widthOf: (hookPoint: string) => number | undefined): void {
  const { hookPoint, width, outputs, rule, bias, factors, input } = encoder;
  const its = widthOf(hookPoint);
  if (its !== width) {
    const what = its === undefined ? 'no value of a width of its own' : `values ${its} wide`;
    throw new TillerError(
      'unsupported',
      `An encoder ${width} wide cannot read ${hookPoint}: the model has ${what} there.`,
    );
  }
  const vectors = [bias, ...(factors ? [factors] : []), ...(rule.kind === 'threshold' ? [rule.thresholds] : [])];
  const fits =
    vectors.every(({ length }) => length === outputs) && (input.bias === null || input.bias.length === width);
  const counts =
    rule.kind === 'threshold' || (Number.isInteger(rule.count) && rule.count >= 1 && rule.count <= outputs);
  const runs = rule.kind !== 'largest_of_runs' || outputs % rule.count === 0;
  if (!fits || !counts || !runs)
    throw new TillerError('internal', `the arrays of the encoder at ${hookPoint} disagree`);
}
