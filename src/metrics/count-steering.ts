import type { Edit, EditReport, RuleReport } from '../../engine/core/index.ts';
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
      kinds.set(steering.edits, [...steering.kinds, ...steering.ruleKinds]);
      return {
        edits: steering.edits,
        ...(steering.rules ? { rules: steering.rules } : {}),
        params: steering.params,
        report(reports, seeds, rules) {
          for (const choice of reports) tell(observer, steering.kinds, choice);
          for (const choice of rules ?? []) tellRules(observer, steering.ruleKinds, choice);
          return steering.report(reports, seeds, rules);
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

/** An edit of a rule that never held is no idle edit: it was not to be applied. */
function tellRules(observer: RequestObserver, kinds: readonly EditKind[], choice: readonly RuleReport[]): void {
  for (const { timesFired, stopped } of choice) {
    observer.ruleFinished(stopped ? 'stopped' : timesFired > 0 ? 'fired' : 'idle');
  }
  const edits = choice.flatMap((rule) => rule.edits);
  kinds.forEach((kind, at) => {
    const report = edits[at];
    if (report && report.tokens > 0) observer.editFinished(kind, report.relativeDose, report.tokens);
  });
}
