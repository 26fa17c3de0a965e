import type { Edit, EditReport } from '../../engine/core/index.ts';
import type { ModelService } from '../../routes/services.ts';
import type { CountedSteering } from '../resolve-steering.ts';
import type { EditKind, RequestObserver } from './steering-metrics.ts';

/** The part of a model's service that steering passes through. */
interface Steerable {
  readonly submit: ModelService['submit'];
  readonly resolveSteering: (...given: Parameters<ModelService['resolveSteering']>) => CountedSteering;
}

/**
 * Tells `observer` of the edits that pass: those of each request once the engine has accepted it, and once the answer
 * reports what was done. A request is known by its list of edits, which is the one that `resolveSteering` gave.
 */
export function countSteering(
  observer: RequestObserver | null,
  { submit, resolveSteering }: Steerable,
): Pick<ModelService, 'submit' | 'resolveSteering' | 'promptAccepted'> {
  if (!observer) return { submit, resolveSteering };
  const kinds = new WeakMap<readonly Edit[], readonly EditKind[]>();
  return {
    promptAccepted: (choices) => observer.promptAccepted(choices),
    submit(request) {
      const events = submit(request);
      for (const kind of kinds.get(request.edits) ?? []) observer.editAccepted(kind);
      return events;
    },
    resolveSteering(...given) {
      const steering = resolveSteering(...given);
      kinds.set(steering.edits, steering.kinds);
      return {
        edits: steering.edits,
        params: steering.params,
        report(reports, seeds) {
          for (const choice of reports) tell(observer, steering.kinds, choice);
          return steering.report(reports, seeds);
        },
      };
    },
  };
}

function tell(observer: RequestObserver, kinds: readonly EditKind[], choice: readonly EditReport[]): void {
  kinds.forEach((kind, at) => {
    const report = choice[at];
    if (report) observer.editFinished(kind, report.relativeDose, report.tokens);
  });
}
