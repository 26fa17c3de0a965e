import { steeringClasses, steeringModes } from '../../engine/core/index.ts';

/** What a label says, and which values it can have: a fixed list, or why they are few. */
export interface LabelMeaning {
  readonly means: string;
  readonly values: readonly string[] | string;
}

/** Every label of every metric. None ever holds what a client made up: that is what keeps the number of series bounded. */
export const labelMeanings = {
  model_name: { means: 'The served model.', values: 'as many as models are served' },
  engine: { means: 'vLLM numbers its engines; Tiller has one.', values: ['0'] },
  finished_reason: {
    means:
      "How a request ended, in vLLM's words; `abort` is a client that left or a service that stops, `deadline` and `rule`, a steering rule that stops, are Tiller's own.",
    values: ['stop', 'length', 'rule', 'abort', 'deadline', 'error'],
  },
  reason: {
    means: 'Why a request waits: no row or memory is free, or (vLLM: a transient constraint) its graph is being built.',
    values: ['capacity', 'deferred'],
  },
  block_size: { means: 'Tokens in a block of the KV cache.', values: 'one: as configured' },
  num_gpu_blocks: {
    means: "Blocks that fit into the KV cache's memory (not on a GPU: the name is vLLM's).",
    values: 'one: as configured',
  },
  kind: {
    means: 'What a step does: read a piece of a prompt, one token for every row that generates, or both.',
    values: ['prefill', 'decode', 'mixed'],
  },
  phase: {
    means: 'Part of a step: choosing and building rows; packing inputs and running the graph; sampling, text, reports.',
    values: ['plan', 'run', 'commit'],
  },
  steering: {
    means:
      'How a request is steered: not at all; at no prompt token but the last, so that its prompt is shared with unsteered traffic; earlier.',
    values: steeringClasses,
  },
  holder: {
    means: 'Who holds memory of the KV cache: requests that run, or prompts kept for later.',
    values: ['rows', 'prefix'],
  },
  mode: { means: 'Mode of an edit.', values: steeringModes },
  source: {
    means: "Where an edit's direction is from: the id of a loaded SAE, or `vector` for a dense direction.",
    values: 'as many as SAEs are loaded, and one',
  },
  chosen_by: {
    means: "Who chose the profile that an edit is from: the request, or nobody and it is the service's default.",
    values: ['request', 'default'],
  },
  outcome: {
    means: 'What became of a rule: its condition never held, it held, it ended the reply.',
    values: ['idle', 'fired', 'stopped'],
  },
  method: {
    means: 'HTTP method; what is not in the list is `other`.',
    values: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'],
  },
  route: {
    means: "The route's pattern; `unmatched` for any path that is none.",
    values: 'as many as there are routes, and one',
  },
  status: { means: 'HTTP status; 499 is a client that left.', values: 'those that the API answers with' },
} as const satisfies Record<string, LabelMeaning>;

export type LabelName = keyof typeof labelMeanings;
