import { logitsAfter, type RequestReplacement, resolveHookPoint, TillerError } from '../../engine/index.ts';
import type {
  AppliedIntervention,
  Intervention,
  InterventionRequest,
  InterventionResult,
  InterventionRun,
} from '../../routes/services.ts';
import type { ReadyModel } from '../services.ts';
import { type ReadRun, readRun } from './read-run.ts';
import { namedBy, type Runner, type StandIn, splicedSource, spliceOf, standInOf, tapped } from './stand-ins.ts';

/** What interventions need of a loaded model. */
export type IntervenedModel = Pick<ReadyModel, 'engine' | 'registry' | 'model'>;

let requests = 0;

/** `InterventionService.intervene` over a model: the runs are requests as any others. */
export async function intervene(ready: IntervenedModel, request: InterventionRequest): Promise<InterventionResult> {
  const { engine, registry, model } = ready;
  const { tokenIds, interventions, tokens, maxTokens, signal } = request;
  const id = `intervention-${++requests}`;
  let runs = 0;
  const run: Runner = (ids, what, replacements) =>
    readRun(engine, `${id}-${++runs}`, ids, 0, { ...what, replacements, signal });
  const spliced = new Map(
    interventions.map((each) => [each, each.kind === 'splice' ? splicedSource(registry, each) : null]),
  );
  const placeOf = (each: Intervention) =>
    each.kind === 'splice' ? resolveHookPoint(spliced.get(each)?.source.hookPoint ?? '', model.config) : each.hookPoint;
  const order = interventions
    .map((each, index) => ({ each, index, hookPoint: placeOf(each) }))
    .sort((a, b) => rankOf(ready, a.hookPoint) - rankOf(ready, b.hookPoint));
  refuseConflicts(order);
  const plain = await run(tokenIds, { taps: [...new Set(order.map(({ hookPoint }) => hookPoint))] }, []);
  const replacements = new Map<string, RequestReplacement>();
  const applied: AppliedIntervention[] = [];
  for (const { each, index, hookPoint } of order) {
    const source = spliced.get(each) ?? null;
    let own = tapped(plain.taps, hookPoint);
    let standIn: StandIn;
    if (each.kind === 'splice' && source) {
      const { encoder } = source.encoding;
      const before = [...replacements.values()];
      const what = { encodings: [source.encoding], taps: [...new Set([encoder.hookPoint, hookPoint])] };
      const read = await run(tokenIds, what, before);
      const [activations] = read.activations;
      if (!activations) throw new TillerError('internal', 'a source was not read');
      own = tapped(read.taps, hookPoint);
      standIn = spliceOf(each, source.source, {
        activations,
        stream: tapped(read.taps, encoder.hookPoint),
        target: own,
      });
    } else if (each.kind !== 'splice') standIn = await standInOf(each, own, hookPoint, run);
    else throw new TillerError('internal', 'a source was not found');
    replacements.set(hookPoint, merged(hookPoint, replacements.get(hookPoint), standIn));
    applied[index] = {
      hookPoint,
      positions: namedBy(standIn.mask),
      sinkPositions: standIn.sinkPositions,
      generated: standIn.generated !== null,
      relativeChange: relativeChange(standIn, own),
    };
  }
  const common = { promptLogits: logitsAfter(tokenIds.length, tokens), signal };
  const whole = (name: string, replaced: readonly RequestReplacement[]) =>
    readRun(engine, `${id}-${name}`, tokenIds, maxTokens, { ...common, replacements: replaced });
  const [baseline, intervened] = await Promise.all([
    whole('baseline', []),
    whole('intervened', [...replacements.values()]),
  ]);
  return { baseline: told(baseline, maxTokens), intervened: told(intervened, maxTokens), applied };
}

function told({ logits, text, completionTokens, finishReason }: ReadRun, maxTokens: number): InterventionRun {
  if (!logits) throw new TillerError('internal', 'a run gave no logits');
  return { logits, text, completionTokens, finishReason: maxTokens > 0 ? finishReason : null };
}

/** A hook point's place in the model's order. */
function rankOf({ model }: IntervenedModel, hookPoint: string): number {
  const [, block, name = ''] = /^blocks\.(\d+)\.(.+)$/.exec(hookPoint) ?? [];
  if (block === undefined) return hookPoint.startsWith('ln_final.') ? Number.POSITIVE_INFINITY : -1;
  const inside = ['hook_resid_pre', 'ln1', 'attn', 'hook_attn_out', 'hook_resid_mid', 'ln2', 'mlp', 'hook_mlp_out'];
  const at = inside.findIndex((part) => name.startsWith(part));
  return (Number(block) * 16 + (at < 0 ? inside.length : at)) / (model.config.blocks * 16);
}

/** Two that would stand in at one place. */
function refuseConflicts(order: readonly { readonly each: Intervention; readonly hookPoint: string }[]): void {
  for (const [at, { each, hookPoint }] of order.entries()) {
    for (const earlier of order.slice(0, at)) {
      if (earlier.hookPoint !== hookPoint) continue;
      const both = each.mask.findIndex((named, t) => named === 1 && earlier.each.mask[t] === 1);
      const after = isGenerated(each) && isGenerated(earlier.each);
      if (both < 0 && !after) continue;
      const where = both < 0 ? 'after the prompt' : `at position ${both}`;
      const message = `${earlier.each.param} and ${each.param} both put something at ${hookPoint} ${where}. Leave one out.`;
      throw new TillerError('edits_conflict', message, { param: each.param });
    }
  }
}

function isGenerated(each: Intervention): boolean {
  return (each.kind === 'values' && each.generated !== null) || (each.kind === 'mean' && each.generated);
}

/** What stands in at a hook point by several interventions at other positions of it. */
function merged(hookPoint: string, before: RequestReplacement | undefined, { values, mask, generated }: StandIn) {
  if (!before) return { hookPoint, values, mask, ...(generated ? { generated } : {}) };
  const width = values.length / mask.length;
  const both = { values: before.values.slice(), mask: before.mask.slice() };
  for (const position of namedBy(mask)) {
    both.values.set(values.subarray(position * width, (position + 1) * width), position * width);
    both.mask[position] = 1;
  }
  const later = generated ?? before.generated;
  return { hookPoint, ...both, ...(later ? { generated: later } : {}) };
}

function relativeChange({ values, mask }: StandIn, own: Float32Array): number | null {
  const named = namedBy(mask);
  if (named.length === 0) return null;
  const width = own.length / mask.length;
  let sum = 0;
  for (const position of named) {
    let [difference, norm] = [0, 0];
    for (let at = position * width; at < (position + 1) * width; at++) {
      difference += ((values[at] as number) - (own[at] as number)) ** 2;
      norm += (own[at] as number) ** 2;
    }
    sum += norm === 0 ? 0 : Math.sqrt(difference / norm);
  }
  return sum / named.length;
}
