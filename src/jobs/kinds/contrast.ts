import { z } from 'zod';
import { errorCodes, TillerError } from '../../../engine/index.ts';
import { withParam } from '../../../routes/http/errors.ts';
import { mostContrastTokens, type NamedItem, toContrastItems } from '../../../routes/native/contrast-items.ts';
import {
  contrastRequestSchema,
  contrastResponseSchema,
  mostItems,
  toContrastBody,
} from '../../../routes/native/contrast-schemas.ts';
import { checkName, isPaired } from '../../../sae-registry/index.ts';
import { contrastPlaces } from '../../contrast/places.ts';
import { type JobInput, type JobRun, type JobWork, jobKind } from '../job-kind.ts';

/** Those of `POST /api/v1/contrast`; the lines of the data set are its items, each with its class. */
const parametersSchema = contrastRequestSchema.omit({ model: true, pairs: true, positive: true, negative: true });
type Parameters = z.infer<typeof parametersSchema>;

const lineSchema = z.union([
  contrastResponseSchema.extend({ key: z.string() }),
  z.object({ error: z.object({ code: z.enum(errorCodes), message: z.string() }) }),
]);

/**
 * A contrast of a data set. One item: every fold and every hook point looks at all texts, so no part of it can be kept; a job that was cut
 * off reads again.
 */
export const contrastJob = jobKind({
  name: 'contrast',
  summary: 'What tells the two classes of a data set apart: a vector, how it does on held-out texts, and features.',
  parameters: parametersSchema,
  checkInput({ class: of }, param) {
    if (of !== undefined) return;
    throw new TillerError('invalid_request', `'${param}' has no 'class': 'positive' or 'negative'.`, {
      param: `${param}.class`,
    });
  },
  check(parameters, { ready: { registry }, service: { card } }, inputs) {
    const { method, positions, features, hook_points: hookPoints = null, save_as: saveAs } = parameters;
    if (inputs > 2 * mostItems) {
      const message = `A contrast has ${2 * mostItems} items at most, and the data set has ${inputs}.`;
      throw new TillerError('invalid_request', message, { param: 'inputs' });
    }
    if (saveAs) checkName(saveAs.name, 'parameters.save_as.name');
    if (isPaired(method) && positions === 'all') {
      const message = `'${method}' takes one sample of each item: use positions 'mean', 'last' or 'answer'.`;
      throw new TillerError('invalid_request', message, { param: 'parameters.positions' });
    }
    registry.sourcesNamed(features?.sources ?? null, 'parameters.features.sources');
    try {
      contrastPlaces(hookPoints, card, registry);
    } catch (error) {
      const named = error instanceof TillerError && error.param !== undefined;
      throw named ? withParam(error, `parameters.${error.param}`) : error;
    }
  },
  open(parameters, run): JobWork {
    return {
      total: 1,
      items: (async function* () {
        yield { key: 'contrast', run: () => contrast(parameters, run) };
      })(),
      async finish({ lines }) {
        for await (const line of lines()) {
          const read = lineSchema.parse(line);
          // the one thing that it was to do: there is nothing beside it that the job is done with
          if ('error' in read) throw new TillerError(read.error.code, read.error.message);
          const { items, tokens, vector, bag_of_words } = read;
          const { hook_point, held_out, held_out_with_choice, effect_size, norm, relative_norm, saved } = vector;
          const found = { hook_point, held_out, held_out_with_choice, effect_size, norm, relative_norm, saved };
          return { items, tokens, bag_of_words, vector: found };
        }
        throw new TillerError('internal', 'a contrast without a result');
      },
    };
  },
});

async function contrast(parameters: Parameters, run: JobRun): Promise<Readonly<Record<string, unknown>>> {
  const { method, positions, folds, features, nearest, hook_points: hookPoints = null, save_as: saveAs } = parameters;
  const { positive, negative, paired } = await classesOf(run, parameters);
  const { signal } = run;
  return run.use(async ({ service }) => {
    const options = { positions, mostTokens: mostContrastTokens, signal };
    const items = await toContrastItems(service, [...positive, ...negative], options);
    const found = await service.contrast({
      ...{ method, positions, folds, nearest, hookPoints, paired, signal },
      positive: items.slice(0, positive.length),
      negative: items.slice(positive.length),
      features: { sources: features?.sources ?? null, by: features?.by ?? 'auroc', limit: features?.limit ?? 20 },
      saveAs: saveAs ? { name: saveAs.name, description: saveAs.description ?? '' } : null,
    });
    const { include_vector: includeVector } = parameters;
    return toContrastBody(found, { model: service.card.id, method, positions, includeVector });
  });
}

interface Classes {
  readonly positive: readonly NamedItem[];
  readonly negative: readonly NamedItem[];
  readonly paired: boolean;
}

/** The data set's two classes, in the order of its lines; of pairs, item i of one belongs to item i of the other. */
async function classesOf(run: JobRun, { method }: Parameters): Promise<Classes> {
  const classes = { positive: [] as NamedItem[], negative: [] as NamedItem[] };
  const pairs = new Map<string, Partial<Record<'positive' | 'negative', NamedItem>>>();
  for await (const { key, input } of run.inputs()) {
    const { class: of = 'positive', topic = null, pair } = input;
    const item: NamedItem = { body: bodyOf(input), topic, param: `inputs[${key}]` };
    classes[of].push(item);
    if (pair === undefined) continue;
    const both = pairs.get(pair) ?? {};
    if (both[of]) throw unpaired(`'${item.param}' is the second ${of} item of pair '${pair}'`, item);
    pairs.set(pair, { ...both, [of]: item });
  }
  if (pairs.size === 0) {
    if (!isPaired(method)) return { ...classes, paired: false };
    const message = `'${method}' looks at the difference within each pair: give each line its 'pair', or another 'method'.`;
    throw new TillerError('invalid_request', message, { param: 'parameters.method' });
  }
  const sides = [...pairs].map(([name, { positive, negative }]) => {
    if (positive && negative && positive.topic === negative.topic) return { positive, negative };
    const item = positive ?? negative;
    throw positive && negative
      ? unpaired(`The items of pair '${name}' have different topics`, positive)
      : unpaired(`Pair '${name}' has '${item?.param}' alone`, item);
  });
  if (2 * sides.length !== classes.positive.length + classes.negative.length) {
    throw unpaired("Some lines have a 'pair' and some have none");
  }
  return {
    positive: sides.map(({ positive }) => positive),
    negative: sides.map(({ negative }) => negative),
    paired: true,
  };
}

function unpaired(what: string, item?: NamedItem): TillerError {
  const message = `${what}: a pair is one positive and one negative line of one topic, and all lines are in pairs or none is.`;
  return new TillerError('invalid_request', message, { param: item?.param ?? 'inputs' });
}

function bodyOf(input: JobInput): NamedItem['body'] {
  const more = input.answer === undefined ? {} : { answer: input.answer };
  return 'text' in input ? { text: input.text, ...more } : { messages: [...input.messages], ...more };
}
