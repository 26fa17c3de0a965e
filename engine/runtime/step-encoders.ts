import type { Encoder, OperatorSet, RowStep } from '../core/index.ts';
import { encoderForm, encoderSite } from '../graph/index.ts';
import type { EncoderMemory } from './encoder-memory.ts';

/** An encoder that a step needs, at its address in the step's graph. */
export interface StepEncoder {
  readonly encoder: Encoder;
  readonly site: string;
  /** Most that is told of a token. */
  readonly most: number;
}

/** The same with its arrays in memory. */
export interface PlacedEncoder extends StepEncoder {
  readonly memory: EncoderMemory;
}

/** The encoders of a step's rows, each once; which stands where depends on nothing but which they are. */
export function encodersOf(rows: readonly Pick<RowStep, 'encodings'>[], operators: OperatorSet): StepEncoder[] {
  const needed = new Map<string, { encoder: Encoder; limit: number }>();
  for (const { encodings = [] } of rows) {
    for (const { encoder, limit } of encodings) {
      const known = needed.get(encoder.key);
      needed.set(encoder.key, { encoder, limit: Math.max(limit, known?.limit ?? 1) });
    }
  }
  const taken = new Map<string, number>();
  return [...needed.values()].map(({ encoder, limit }) => {
    const form = encoderForm(encoder, operators);
    const place = encoderSite(encoder.hookPoint, form, 0);
    const n = taken.get(place) ?? 0;
    taken.set(place, n + 1);
    return { encoder, site: encoderSite(encoder.hookPoint, form, n), most: mostOf(encoder, limit, operators) };
  });
}

/** ONNX Runtime's operators give out all that a rule picks, and it is cut afterwards. */
function mostOf({ rule, outputs }: Encoder, limit: number, operators: OperatorSet): number {
  if (rule.kind !== 'threshold' && operators === 'onnxruntime') return rule.count;
  return Math.min(limit, outputs);
}
