import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { modeNumber, TillerError } from '../../engine/core/index.ts';
import type { EditRequest } from '../../routes/services.ts';
import { editSettings, targetSettings } from '../command-settings.ts';
import { type Environment, readSettings } from '../setting.ts';

/** One flag as it was typed; commander's attribute name and text (`true` for a switch). */
export interface TypedFlag {
  readonly name: string;
  readonly value: string | true;
}

/** Notes the flags of edits in the order in which they are typed, which commander's result does not keep. */
export function recordEditFlags(command: Command): readonly TypedFlag[] {
  const names = [...Object.keys(targetSettings), ...Object.keys(editSettings)];
  const typed: TypedFlag[] = [];
  for (const option of command.options) {
    const name = option.attributeName();
    if (!names.includes(name)) continue;
    command.on(`option:${option.name()}`, (value?: string) => typed.push({ name, value: value ?? true }));
  }
  return typed;
}

/**
 * The edits of a command line. Each `--feature` or `--vector` begins one, and the flags after it belong to it; those before
 * the first one hold for all, as variables do. Where the line names no target, TILLER_FEATURE and TILLER_VECTOR do. Throws
 * `invalid_request` in the words of the flags.
 */
export function readEdits(flags: readonly TypedFlag[], environment: Environment): EditRequest[] {
  const shared: Record<string, string | true> = {};
  const groups: { readonly target: TypedFlag; readonly own: Record<string, string | true> }[] = [];
  for (const flag of flags) {
    const group = groups.at(-1);
    if (flag.name === 'feature' || flag.name === 'vector') groups.push({ target: flag, own: {} });
    else if (group) group.own[flag.name] = flag.value;
    else shared[flag.name] = flag.value;
  }
  if (groups.length === 0) return variableTargets(environment).map((target) => readEdit(target, shared, environment));
  return groups.map(({ target, own }) => readEdit(target, { ...shared, ...own }, environment));
}

function variableTargets(environment: Environment): TypedFlag[] {
  const { feature, vector } = readSettings(targetSettings, {}, environment);
  return [
    ...feature.map((value) => ({ name: 'feature', value })),
    ...vector.map((value) => ({ name: 'vector', value })),
  ];
}

function readEdit(
  target: TypedFlag,
  flags: Readonly<Record<string, string | true>>,
  environment: Environment,
): EditRequest {
  const values = readSettings(editSettings, flags, environment);
  const param = `--${target.name} ${String(target.value)}`;
  const wanted = modeNumber[values.mode];
  for (const name of ['strength', 'value', 'factor'] as const) {
    if (name === wanted && values[name] === null) {
      throw new TillerError('invalid_request', `${param}: mode ${values.mode} needs --${name}.`, { param: name });
    }
    if (name !== wanted && values[name] !== null) {
      const takes = wanted === null ? 'takes no number' : `takes --${wanted}`;
      throw new TillerError('invalid_request', `${param}: mode ${values.mode} ${takes}, not --${name}.`, {
        param: name,
      });
    }
  }
  return {
    ...readTarget(target),
    mode: values.mode,
    number: wanted === null ? null : values[wanted],
    unit: values.unit,
    positions: values.positions,
    skipSpecial: values.skipSpecial,
    onlyIfActive: values.onlyIfActive,
    param,
  };
}

function readTarget(target: TypedFlag): Pick<EditRequest, 'feature' | 'vector'> {
  const text = String(target.value);
  if (target.name === 'feature') return { feature: text };
  const split = text.indexOf('=');
  if (split < 0) return { vector: text };
  return { vector: { hookPoint: text.slice(0, split), data: readDirection(text.slice(split + 1)) } };
}

/** A direction from a file of raw little-endian float32 numbers, as the wire form has them in base64. */
function readDirection(path: string): Float32Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TillerError('invalid_request', `Cannot read the vector file ${path}.`, { param: 'vector', cause });
  }
  if (bytes.length === 0 || bytes.length % 4 !== 0) {
    const message = `${path} holds ${bytes.length} bytes, which is no list of little-endian float32 numbers.`;
    throw new TillerError('invalid_request', message, { param: 'vector' });
  }
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}
