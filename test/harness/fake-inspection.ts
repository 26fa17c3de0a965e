import { type GenerateRequest, type GenerationEvent, nearest, TillerError } from '../../engine/core/index.ts';
import type { InspectedTokens, Inspection, InspectionEvent, InspectionRequest } from '../../routes/services.ts';

const features = 8;

/**
 * Inspection of a toy model with one source of 8 features: on the token at position p feature p mod 8 fires with p, and the next one
 * with a half. The first token does not count, unless sinks do.
 */
export function fakeInspection(
  source: string,
  submit: (request: GenerateRequest) => AsyncIterable<GenerationEvent>,
): (request: InspectionRequest) => Inspection {
  return (request) => {
    const name = source.slice(source.indexOf('/') + 1);
    const unknown = request.sources?.find((each) => ![source, name].includes(each));
    if (unknown !== undefined) {
      throw new TillerError('source_not_found', `No source '${unknown}'.`, {
        param: 'sources',
        suggestions: nearest(unknown, [name]),
      });
    }
    const chosen = request.features?.map((id, at) => {
      const index = Number(id.slice(id.lastIndexOf('/') + 1));
      if (index < features) return index;
      throw new TillerError('feature_not_found', `No feature '${id}'.`, { param: `features[${at}]` });
    });
    const perToken = Math.min(request.perToken, chosen?.length ?? features);
    const perText = chosen?.length ?? Math.min(request.perText, features);
    const head = {
      id: source,
      hookPoint: 'blocks.3.hook_resid_post',
      features,
      chosen: chosen ?? null,
      perToken,
      perText,
    };
    return { sources: [head], run: (generate) => run(source, request, chosen ?? null, submit, generate) };
  };
}

async function* run(
  source: string,
  request: InspectionRequest,
  chosen: readonly number[] | null,
  submit: (request: GenerateRequest) => AsyncIterable<GenerationEvent>,
  generate: GenerateRequest,
): AsyncGenerator<InspectionEvent> {
  const { promptTokenIds } = generate;
  let read = 0;
  const told = (tokens: number): InspectionEvent[] => {
    const [from, to] = [read, read + tokens];
    read = to;
    const isPrompt = from < promptTokenIds.length;
    if (request.part !== 'both' && (request.part === 'prompt') !== isPrompt) return [];
    return [{ type: 'features', start: from, sources: [tokensOf(from, to, request, chosen)] }];
  };
  let replied = 0;
  for await (const event of submit(generate)) {
    if (event.type === 'prompt') yield* told(promptTokenIds.length);
    // a token of a reply is read when the next one is made
    if (event.type === 'token' && replied++ > 0) yield* told(1);
    if (event.type !== 'activations') yield event;
  }
  const index = chosen?.[0] ?? 1;
  const total = { max: 9, mean: 3, sum: 27, count: 3, last: 0, frequency: 0.25, position: 9 };
  const feature = {
    id: `${source}/${index}`,
    model: source.slice(0, source.indexOf('/')),
    source: '3-res',
    index,
    label: null,
    ...total,
  };
  yield {
    type: 'summary',
    sources: [{ ignored: request.includeSinks ? [] : [0], truncated: [2], tokens: read - 1, features: [feature] }],
  };
}

function tokensOf(
  from: number,
  to: number,
  { includeSinks, perToken }: InspectionRequest,
  chosen: readonly number[] | null,
): InspectedTokens {
  const offsets = [0];
  const found: { index: number; value: number }[] = [];
  const counted: boolean[] = [];
  for (let position = from; position < to; position++) {
    counted.push(includeSinks || position > 0);
    const fires = [
      { index: position % features, value: position },
      { index: (position + 1) % features, value: 0.5 },
    ];
    if (counted.at(-1)) found.push(...fires.filter(({ index }) => chosen?.includes(index) ?? true).slice(0, perToken));
    offsets.push(found.length);
  }
  return {
    counted,
    offsets: Uint32Array.from(offsets),
    indices: Uint32Array.from(found, ({ index }) => index),
    values: Float32Array.from(found, ({ value }) => value),
  };
}
