import { inOrder } from '../../engine/index.ts';
import type { AutoSteerCandidate, AutoSteerRequest, Contrast, EditRequest } from '../../routes/services.ts';
import { formatSavedName, outputScore, type ReplyLikelihoods } from '../../sae-registry/index.ts';
import { togetherOf } from '../evaluation/context.ts';
import { scaledEdit } from '../evaluation/dose-evaluation.ts';
import { readReply } from '../evaluation/read-reply.ts';
import type { AutoSteerContext } from './chat-tokens.ts';
import type { TokenPair } from './written-pairs.ts';

/** A candidate before it is tried. */
export interface Candidate extends Omit<AutoSteerCandidate, 'evaluation'> {
  /** At strength 1. */
  readonly edit: EditRequest;
  readonly strengths: readonly number[];
}

/** Pairs that output scores are of, and features that get one for each that may be tried. */
const scoredPairs = 8;
const scoredFeatures = 3;
let readings = 0;

/** The contrast's vector and its features, best output score first. */
export async function candidatesOf(
  contrast: Contrast,
  pairs: readonly TokenPair[],
  request: AutoSteerRequest,
  context: AutoSteerContext,
): Promise<readonly Candidate[]> {
  const step = Math.max(1, Math.floor(pairs.length / scoredPairs));
  const sample = pairs.filter((_, i) => i % step === 0).slice(0, scoredPairs);
  const plain = await likelihoods(sample, null, request.signal, context);
  const scored: Candidate[] = [];
  for (const candidate of [
    vectorCandidate(contrast, request, context),
    ...featureCandidates(contrast, request, context),
  ]) {
    const { strengths } = candidate;
    const middle = scaledEdit(candidate.edit, strengths[Math.floor(strengths.length / 2)] ?? 1);
    const steered = await likelihoods(sample, middle, request.signal, context);
    scored.push({ ...candidate, outputScore: outputScore(steered, plain) });
  }
  return scored.sort((a, b) => b.outputScore - a.outputScore);
}

const added = { mode: 'add', number: 1, positions: 'all_but_first', skipSpecial: false, onlyIfActive: false } as const;

function vectorCandidate({ vector }: Contrast, request: AutoSteerRequest, { registry }: AutoSteerContext): Candidate {
  const { hookPoint, values, saved, heldOut } = vector;
  const name = saved === null ? 'contrast' : formatSavedName(saved);
  const edit: EditRequest = {
    ...added,
    vector: saved === null ? { hookPoint, data: values } : name,
    unit: registry.streamNorm(hookPoint) === null ? 'raw' : 'stream_norm',
    param: 'contrast',
  };
  const known = { kind: 'vector', name, label: null, inputScore: heldOut.auroc, outputScore: 0 } as const;
  return { ...known, edit, strengths: request.vectorStrengths };
}

/** Those that tell the replies apart by firing on wanted ones, and those whose decoder rows point where the vector does. */
function featureCandidates(contrast: Contrast, request: AutoSteerRequest, { registry }: AutoSteerContext): Candidate[] {
  if (request.features === 0) return [];
  const found = new Map<string, Candidate>();
  const offer = (id: string, label: string | null, inputScore: number | null) => {
    const target = registry.target(id, 'features');
    // without statistics its strength has no unit
    if (found.has(id) || target.kind !== 'feature' || target.maxActivation === null) return;
    const edit: EditRequest = { ...added, feature: id, unit: 'max_activation', param: 'features' };
    found.set(id, {
      kind: 'feature',
      name: id,
      label,
      inputScore,
      outputScore: 0,
      edit,
      strengths: request.featureStrengths,
    });
  };
  const firing = contrast.sources.flatMap(({ features }) => features).filter(({ difference }) => difference > 0);
  const near = contrast.vector.nearest.filter(({ cosine }) => cosine > 0);
  const most = scoredFeatures * request.features;
  for (const { id, label, auroc } of firing.sort((a, b) => b.auroc - a.auroc).slice(0, Math.ceil(most / 2))) {
    if (writes(registry, id)) offer(id, label, auroc);
  }
  for (const { id, label } of near) if (found.size < most && writes(registry, id)) offer(id, label, null);
  return [...found.values()];
}

function writes(registry: AutoSteerContext['registry'], id: string): boolean {
  return registry.sourceOf(id).dictionary.writesByRow;
}

/** Mean log-probability a token of both replies of each pair, steered or not. */
async function likelihoods(
  pairs: readonly TokenPair[],
  edit: EditRequest | null,
  signal: AbortSignal,
  context: AutoSteerContext,
): Promise<readonly ReplyLikelihoods[]> {
  const { edits } = context.resolveSteering({ edits: edit === null ? [] : [edit] });
  const found: ReplyLikelihoods[] = [];
  const read = async ({ asked }: TokenPair, replyTokenIds: Int32Array, stop: AbortSignal) => {
    const { tokenIds: promptTokenIds } = asked;
    const reading = { promptTokenIds, replyTokenIds, taps: [], edits, positions: asked.positions(edits), signal: stop };
    const { logprobs } = await readReply(context, { id: `output-score-${++readings}`, ...reading });
    return logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
  };
  const together = Math.max(1, Math.floor(togetherOf(context) / 2));
  for await (const pair of inOrder(pairs, { together, signal }, async (one, stop) => {
    const [positive, negative] = await Promise.all([
      read(one, one.positiveTokens, stop),
      read(one, one.negativeTokens, stop),
    ]);
    return { positive, negative };
  })) {
    found.push(pair);
  }
  return found;
}
