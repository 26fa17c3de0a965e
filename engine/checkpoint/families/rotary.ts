import { z } from 'zod';
import { type RotaryEmbedding, TillerError } from '../../core/index.ts';
import type { ConfigFile } from './config-file.ts';

const optional = z.number().nullish();

/** One set of rotary parameters. transformers writes `rope_parameters` from version 5 on, `rope_theta` and `rope_scaling` before. */
export const ropeSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: optional,
  partial_rotary_factor: optional,
  factor: optional,
  low_freq_factor: optional,
  high_freq_factor: optional,
  original_max_position_embeddings: optional,
});

/** For a family's schema. */
export const ropeFields = {
  rope_theta: optional,
  rope_parameters: ropeSchema.nullish(),
  rope_scaling: ropeSchema.nullish(),
} as const;

type Rope = z.infer<typeof ropeSchema>;
export interface RopeFields {
  readonly rope_theta?: number | null | undefined;
  readonly rope_parameters?: Rope | null | undefined;
  readonly rope_scaling?: Rope | null | undefined;
}

export interface RopeDefaults {
  /** Dimensions of a head that are rotated, unless the parameters name a fraction and the family knows it. */
  readonly dimensions: number;
  readonly base: number;
  /** Width of a head where `partial_rotary_factor` is understood. */
  readonly partialOf?: number;
}

const keysByKind: Readonly<Record<string, readonly string[]>> = {
  default: [],
  linear: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
};

/** The rotary embedding of a configuration. Refuses kinds and parameters that are not understood, by name. */
export function rotaryOf(file: ConfigFile, fields: RopeFields, defaults: RopeDefaults): RotaryEmbedding {
  const { rope_parameters: parameters, rope_scaling: scaling, rope_theta: theta } = fields;
  const base = parameters?.rope_theta ?? scaling?.rope_theta ?? theta ?? defaults.base;
  const fraction = parameters?.partial_rotary_factor ?? scaling?.partial_rotary_factor ?? 1;
  if (fraction !== 1 && defaults.partialOf === undefined)
    throw file.unsupported(`rotary parameter partial_rotary_factor ${fraction}`);
  const dimensions =
    fraction === 1 || defaults.partialOf === undefined
      ? defaults.dimensions
      : Math.floor(defaults.partialOf * fraction);
  const found = [parameters, scaling].map((rope) => scalingOf(file, rope)).find((one) => one !== null) ?? null;
  return { dimensions, base, scaling: found };
}

function scalingOf(file: ConfigFile, rope: Rope | null | undefined): RotaryEmbedding['scaling'] {
  if (!rope) return null;
  const kind = rope.rope_type ?? rope.type ?? 'default';
  if (!Object.hasOwn(keysByKind, kind)) throw file.unsupported(`rotary scaling of type '${kind}'`);
  const known = [...keysByKind[kind], 'rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];
  const extra = Object.entries(rope).find(([key, value]) => value !== null && !known.includes(key));
  if (extra !== undefined) throw file.unsupported(`rotary parameter ${extra[0]} with type '${kind}'`);
  const positive = (key: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings') => {
    const value = rope[key] ?? Number.NaN;
    if (value > 0 && Number.isFinite(value)) return value;
    throw invalid(file, `rotary scaling of type '${kind}' needs a positive ${key}`);
  };
  if (kind === 'default') return null;
  if (kind === 'linear') return { kind: 'linear', factor: positive('factor') };
  const scaling = {
    kind: 'llama3',
    factor: positive('factor'),
    lowFrequencyFactor: positive('low_freq_factor'),
    highFrequencyFactor: positive('high_freq_factor'),
    originalContext: positive('original_max_position_embeddings'),
  } as const;
  if (scaling.highFrequencyFactor > scaling.lowFrequencyFactor) return scaling;
  throw invalid(file, 'rotary scaling needs a high_freq_factor above its low_freq_factor');
}

function invalid(file: ConfigFile, what: string): TillerError {
  return new TillerError('checkpoint_invalid', `${file.path}: ${what}.`);
}
