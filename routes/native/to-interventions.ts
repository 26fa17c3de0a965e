import { TillerError } from '../../engine/core/index.ts';
import { renamingParam } from '../http/errors.ts';
import { decodeFloat32 } from '../http/float32.ts';
import type { Intervention, ModelService } from '../services.ts';
import { editablePlace, promptPositions } from './intervention-places.ts';
import type { InterventionBody, PatchBody, PositionsBody } from './interventions-request.ts';
import type { ReadingInputBody } from './reading-input-schemas.ts';
import { toReadingInputs } from './reading-inputs.ts';

/** Tokens of all other inputs that one request may have read for its interventions. */
export const mostOtherTokens = 32_768;

/**
 * The interventions of a body for a prompt of so many tokens. Throws, with the item's field as `param` (`interventions[1].values`):
 * `hook_point_not_found`, `edit_not_applicable`, `invalid_request` for positions beyond the prompt and values of another number or width or
 * that are not finite, and what reading inputs throws.
 */
export async function toInterventions(
  model: ModelService,
  bodies: readonly InterventionBody[],
  length: number,
  signal: AbortSignal,
): Promise<Intervention[]> {
  const found: Intervention[] = [];
  let left = mostOtherTokens;
  const inputsOf = async (inputs: readonly ReadingInputBody[], param: string) => {
    const options = { signal, mostTokens: Math.max(1, left), addGenerationPrompt: true };
    const read = await renamingParam(toReadingInputs(model, { inputs }, options), (name) =>
      name.replace(/^inputs/, param),
    );
    const ids = read.map(({ tokenIds }) => tokenIds);
    left -= ids.reduce((sum, each) => sum + each.length, 0);
    return ids;
  };
  for (const [index, body] of bodies.entries()) {
    const param = `interventions[${index}]`;
    const { mask, generated, positions } = placesOf(body.positions, length, `${param}.positions`);
    if (body.kind === 'splice') {
      found.push({ kind: 'splice', source: body.source, errorTerm: body.error_term, mask, param });
      continue;
    }
    const { hookPoint, width } = editablePlace(model, body.hook_point, `${param}.hook_point`);
    const common = { hookPoint, mask, param };
    if (body.kind === 'zero') {
      const zeros = { values: new Float32Array(length * width), generated: generated ? new Float32Array(width) : null };
      found.push({ kind: 'values', ...common, ...zeros });
    } else if (body.kind === 'mean') {
      const over = body.over ? await inputsOf(body.over, `${param}.over`) : null;
      found.push({ kind: 'mean', ...common, over, generated });
    } else if (body.from) {
      const { positions: theirs, ...input } = refuseBoth(body, param).from as NonNullable<PatchBody['from']>;
      const [tokenIds] = await renamingParam(inputsOf([input], `${param}.from`), (name) =>
        name.replace('from[0]', 'from'),
      );
      if (!tokenIds) throw new TillerError('internal', 'an input was not read');
      const from = promptPositions(theirs ?? [...positions], tokenIds.length, `${param}.from.positions`);
      if (from.length !== positions.length) {
        const message = `${from.length} positions of the other input are named for ${positions.length} of the prompt.`;
        throw new TillerError('invalid_request', message, { param: `${param}.from.positions` });
      }
      const inOrder = positions.map((position, at) => ({ position, from: from[at] as number }));
      const sorted = inOrder.sort((a, b) => a.position - b.position).map((each) => each.from);
      found.push({ kind: 'run', ...common, tokenIds, positions: sorted });
    } else {
      const values = givenValues(refuseBoth(body, param), positions, { length, width }, param);
      found.push({ kind: 'values', ...common, values, generated: null });
    }
  }
  return found;
}

/** Exactly one of values, data and from. */
function refuseBoth(body: PatchBody, param: string): PatchBody {
  const given = (['values', 'data', 'from'] as const).filter((name) => body[name] !== undefined);
  if (given.length === 1) return body;
  const message = "A patch needs exactly one of 'values', 'data' and 'from'.";
  throw new TillerError('invalid_request', message, { param: `${param}.${given[1] ?? 'values'}` });
}

function givenValues(
  { values, data }: PatchBody,
  positions: readonly number[],
  { length, width }: { readonly length: number; readonly width: number },
  param: string,
): Float32Array {
  const rows = values ? rowsOf(values, width, `${param}.values`) : decodeFloat32(data ?? '', `${param}.data`);
  const count = rows.length / width;
  const field = `${param}.${values ? 'values' : 'data'}`;
  if (count !== positions.length && count !== 1) {
    const message =
      `There are ${rows.length} numbers for ${positions.length} positions at a hook point ${width} wide: ` +
      `give ${positions.length} × ${width}, or ${width} for all.`;
    throw new TillerError('invalid_request', message, { param: field });
  }
  const whole = new Float32Array(length * width);
  positions.forEach((position, n) => {
    const row = count === 1 ? 0 : n;
    whole.set(rows.subarray(row * width, (row + 1) * width), position * width);
  });
  return whole;
}

function rowsOf(values: readonly (readonly number[])[], width: number, param: string): Float32Array {
  const rows = new Float32Array(values.length * width);
  for (const [at, row] of values.entries()) {
    const refuse = (message: string): never => {
      throw new TillerError('invalid_request', message, { param: `${param}[${at}]` });
    };
    if (row.length !== width) refuse(`It has ${row.length} numbers, and the hook point is ${width} wide.`);
    // beyond float32's range it is no number there
    const not = row.find((value) => !Number.isFinite(Math.fround(value)));
    if (not !== undefined) refuse(`${not} is not a finite float32.`);
    rows.set(row, at * width);
  }
  return rows;
}

interface Places {
  readonly mask: Uint8Array;
  /** In the order named. */
  readonly positions: readonly number[];
  /** Every position after the prompt, too. */
  readonly generated: boolean;
}

function placesOf(named: PositionsBody, length: number, param: string): Places {
  const generated = named === 'all' || named === 'all_but_first' || named === 'generated';
  const positions = typeof named === 'string' ? wordPositions(named, length) : promptPositions(named, length, param);
  if (positions.length === 0 && !generated) {
    throw new TillerError('invalid_request', `The prompt is one token, and '${String(named)}' leaves the first out.`, {
      param,
    });
  }
  const mask = new Uint8Array(length);
  for (const position of positions) mask[position] = 1;
  return { mask, positions, generated };
}

function wordPositions(word: Extract<PositionsBody, string>, length: number): number[] {
  const first = { all: 0, all_but_first: 1, prompt: 1, generated: length - 1, last: length - 1 }[word];
  return Array.from({ length: Math.max(0, length - first) }, (_, at) => first + at);
}
