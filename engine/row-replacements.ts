import type { GenerateRequest, RequestReplacement } from './core/request.ts';
import type { Replacement } from './core/step.ts';

/**
 * What stands in for values at positions `from` … `to` − 1 of a request. What names none of them is left out, so that such a step runs
 * without it; but where something is read or edited, too: steps are then to be of few kinds, each of which has to be built.
 */
export function replacementsOf(request: GenerateRequest, from: number, to: number): Replacement[] {
  const { replacements = [], encodings = [], taps = [] } = request;
  const each = replacements.map((whole) => over(whole, from, to));
  return encodings.length + taps.length > 0 ? each : each.filter(({ mask }) => mask.includes(1));
}

function over({ hookPoint, values, mask, generated }: RequestReplacement, from: number, to: number): Replacement {
  const prompt = mask.length;
  const width = values.length / prompt;
  if (to <= prompt) {
    return { hookPoint, values: values.subarray(from * width, to * width), mask: mask.subarray(from, to) };
  }
  const span = { values: new Float32Array((to - from) * width), mask: new Uint8Array(to - from) };
  // a row that was preempted reads its prompt and its reply in one
  if (from < prompt) {
    span.values.set(values.subarray(from * width));
    span.mask.set(mask.subarray(from));
  }
  if (generated) {
    for (let position = Math.max(from, prompt); position < to; position++) {
      span.values.set(generated, (position - from) * width);
      span.mask[position - from] = 1;
    }
  }
  return { hookPoint, ...span };
}
