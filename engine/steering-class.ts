import { createHash } from 'node:crypto';
import type { Edit } from './core/edit.ts';
import type { SteeringClass } from './core/engine-events.ts';
import type { GenerateRequest } from './core/request.ts';
import type { RuleSet } from './core/rule.ts';
import { probeWants } from './steering/conditions.ts';
import { editDigest } from './steering/edit-digest.ts';
import { positionsMask } from './steering/positions.ts';
import { probeEdit } from './steering/probe-edit.ts';

/** How a request is steered, as far as sharing its prompt goes. */
export function steeringClassOf({ edits, rules, promptTokenIds, positionContext }: GenerateRequest): SteeringClass {
  // rules edit no token of the prompt
  if (edits.length === 0) return rules ? 'decode_only' : 'none';
  const shared = promptTokenIds.subarray(0, -1);
  return edits.some((edit) => positionsMask(edit, positionContext, 0, shared).includes(1)) ? 'prompt' : 'decode_only';
}

/** The same for requests whose edits do the same at the same positions, under the same rules; null without either. */
export function steeringKey(
  edits: readonly Edit[],
  { probes, rules }: RuleSet = { probes: [], rules: [] },
): string | null {
  if (edits.length + rules.length === 0) return null;
  const hash = createHash('sha256');
  for (const { when, latch, stop, edits: own } of rules) {
    hash.update(`${JSON.stringify([when, latch, stop])} ${steeringKey(own)};`);
  }
  for (const edit of [...edits, ...probes.map(probeEdit)])
    hash.update(`${editDigest(edit)} ${JSON.stringify(edit.positions)} ${edit.skipSpecial};`);
  return hash.digest('base64');
}

/** Prompts shorter than this are read again sooner than waited for. */
const worthSharing = 64;

/**
 * The same for requests that read the same prompt steered alike, so that one can wait for the other's; null for those that
 * share nothing.
 */
export function promptKeyOf({ edits, rules, promptTokenIds, promptLogprobs }: GenerateRequest): string | null {
  if (promptTokenIds.length < worthSharing || promptLogprobs !== null) return null;
  // what reads the whole prompt takes nothing from another
  if (rules && probeWants(rules.probes.length, rules.rules).some(({ prompt }) => prompt === 'all')) return null;
  return createHash('sha256')
    .update(promptTokenIds)
    .update(steeringKey(edits) ?? '')
    .digest('base64');
}
