import { TillerError } from '../../engine/core/index.ts';
import {
  type LabelPlan,
  type LabelResult,
  type LabelTask,
  labelPrompt,
  namedSource,
  openEvidence,
  parseFeatureRanges,
  planLabels,
  runLabels,
  type StoredEvidence,
  sourceId,
  tokenLabel,
} from '../../sae-registry/labelling/index.ts';
import type { KnownSource, Store } from '../../sae-registry/store/index.ts';
import type { ProgressDisplay } from '../cli/progress-display.ts';
import type { labelSettings } from '../labelling-settings.ts';
import type { SettingValues } from '../setting.ts';
import { counted, failureLines, promptText, spentLine } from './command-text.ts';
import { connectLabeller, endpointOf, pricesOf } from './endpoint-settings.ts';
import { estimateWork } from './estimate.ts';
import { cost, describeTokens, Spending } from './spending.ts';

export type LabelSettings = SettingValues<typeof labelSettings>;

export interface LabelCommand {
  readonly store: Store;
  /** Its id, or its name. */
  readonly source: string;
  readonly settings: LabelSettings;
  readonly key: string | null;
  readonly display: ProgressDisplay;
}

/** `tiller sae label`: labels what is missing and returns what is to be printed. Throws like `runLabels`. */
export async function labelCommand({ store, source: name, settings, key, display }: LabelCommand): Promise<string> {
  const endpoint = endpointOf(settings);
  const source = namedSource(store, name);
  const evidence = openEvidence(store, source.key);
  refuseUnknown(source, evidence);
  const { limit, onlyUnlabelled, replace } = settings;
  const features =
    settings.features === null ? null : parseFeatureRanges(settings.features, source.features, 'features');
  const choice = { features, limit, onlyUnlabelled, replace };
  const task: LabelTask = { store, source, evidence, choice, labeller: endpoint && { name: endpoint.model } };
  const plan = planLabels(task);
  tellPlan(plan, task, settings, display.onNotice);
  if (settings.dryRun) return firstQuestion(plan, task);
  const spending = new Spending();
  const labeller = endpoint && connectLabeller(endpoint, settings, { key, spending, onNotice: display.onNotice });
  const label = `Labelling ${sourceId(source)}`;
  const onProgress = (done: number, total: number) => display.onProgress({ label, done, total, unit: 'items' });
  try {
    const result = await runLabels({ ...task, labeller, concurrency: settings.concurrency, onProgress });
    return settings.json ? resultJson(plan, result, spending, settings) : resultText(plan, result, spending, settings);
  } catch (error) {
    if (spending.requests > 0) display.onNotice(spentLine(spending, pricesOf(settings)));
    throw error;
  }
}

function refuseUnknown(source: KnownSource, evidence: StoredEvidence): void {
  if (evidence.known.length > 0) return;
  const id = sourceId(source);
  throw new TillerError(
    'statistics_missing',
    `Nothing is known of the features of ${id}: no examples, no statistics. Collect them with 'tiller sae stats ${id}', or import them.`,
    { param: 'source' },
  );
}

function tellPlan(plan: LabelPlan, task: LabelTask, settings: LabelSettings, tell: (line: string) => void): void {
  const before = plan.done === 0 ? '' : ` (${plan.done} labelled already)`;
  const what = `${counted(plan.todo.length, 'feature')} of ${sourceId(task.source)} to label${before}`;
  if (plan.unknown.length > 0) {
    const known = task.labeller === null ? 'no tokens' : 'no examples';
    tell(`Left out: ${counted(plan.unknown.length, 'feature')} with ${known}, ${plan.unknown[0]} first.`);
  }
  if (task.labeller === null) {
    tell(`${what}. No --endpoint is named: labels are made from tokens alone. They name tokens and describe nothing.`);
    return;
  }
  const { evidence } = task;
  const prompts = (feature: number) => [labelPrompt(evidence.evidence(feature))];
  const estimate = estimateWork(plan.todo, prompts, settings.answerTokens);
  tell(`${what} with ${task.labeller.name}; about ${describeTokens(estimate, pricesOf(settings))} at most.`);
}

function firstQuestion({ todo }: LabelPlan, { evidence, labeller }: LabelTask): string {
  const [first] = todo;
  if (first === undefined) return 'Nothing is left to label.';
  const known = evidence.evidence(first);
  const without = labeller === null ? `\nWithout an endpoint its label is: ${tokenLabel(known) ?? 'none'}` : '';
  return `Feature ${first}:\n${promptText(labelPrompt(known))}${without}`;
}

function resultText(plan: LabelPlan, { labelled, failed }: LabelResult, spending: Spending, settings: LabelSettings) {
  const { method, author } = plan.by;
  const again = failed.size > 0 && settings.endpoint !== null ? ['The same command asks for these again.'] : [];
  return [
    `Labelled ${counted(labelled, 'feature')} (method ${method}, author ${author}).`,
    ...failureLines(failed).map((line) => `No label: ${line}`),
    ...again,
    ...(spending.requests > 0 ? [spentLine(spending, pricesOf(settings))] : []),
  ].join('\n');
}

function resultJson(plan: LabelPlan, { labelled, failed }: LabelResult, spending: Spending, settings: LabelSettings) {
  const { requests, prompt, answer, estimated } = spending;
  return JSON.stringify({
    ...{ labelled, labelled_before: plan.done, method: plan.by.method, author: plan.by.author },
    failed: Object.fromEntries(failed),
    spent: {
      ...{ requests, prompt_tokens: prompt, answer_tokens: answer, estimated_answers: estimated },
      dollars: cost(spending, pricesOf(settings)),
    },
  });
}
