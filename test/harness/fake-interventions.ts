import type {
  ActivationPatchingRequest,
  InterventionRequest,
  InterventionRun,
  InterventionService,
} from '../../routes/services.ts';

/** What the routes asked of interventions, latest last. */
export const askedInterventions: { patching: ActivationPatchingRequest[]; runs: InterventionRequest[] } = {
  patching: [],
  runs: [],
};

/** Interventions without a model: a patched run's logits count up by its number, a run's are its tokens' places. */
export function fakeInterventions(): InterventionService {
  return {
    patchActivations: async (request) => {
      askedInterventions.patching.push(request);
      const { hookPoints, positions, tokens } = request;
      const runs = hookPoints.length * positions.length;
      const size = tokens.length;
      const patched = Float32Array.from({ length: runs * size }, (_, at) =>
        at % size === 0 ? Math.floor(at / size) : 0,
      );
      const first = (value: number) => Float32Array.from({ length: size }, (_, at) => (at === 0 ? value : 0));
      return { clean: first(8), corrupted: first(4), patched, runs };
    },
    intervene: async (request) => {
      askedInterventions.runs.push(request);
      const applied = request.interventions.map((each) => ({
        hookPoint: each.kind === 'splice' ? 'blocks.3.hook_resid_post' : each.hookPoint,
        positions: [...each.mask.keys()].filter((position) => each.mask[position] === 1),
        sinkPositions: [],
        generated: each.kind === 'values' && each.generated !== null,
        relativeChange: 0.5,
      }));
      return { baseline: runOf(request, 0), intervened: runOf(request, 1), applied };
    },
  };
}

function runOf({ tokens, maxTokens }: InterventionRequest, more: number): InterventionRun {
  const values = Float32Array.from(tokens, (_, at) => at + more);
  const top = { topValues: Float32Array.of(2, 1), topTokenIds: Int32Array.of(5, 6) };
  return {
    logits: { position: 0, values, logSumExp: 3, next: null, ...top },
    text: maxTokens > 0 ? 'a reply' : '',
    completionTokens: maxTokens,
    finishReason: maxTokens > 0 ? 'length' : null,
  };
}
