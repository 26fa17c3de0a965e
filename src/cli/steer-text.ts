import type { SteeringBlockEdit, SteeringBlockRule } from '../../routes/services.ts';
import { printable, sideBySide, wrap } from './columns.ts';
import type { SteerReply, SteerRequest, SteerResult } from './steer-result.ts';

/** Both replies side by side, and below them what each edit did. */
export function renderSteering(request: SteerRequest, result: SteerResult, columns: number): string {
  const replies = sideBySide(
    { title: `unsteered (${replyLength(result.unsteered)})`, text: result.unsteered.text },
    { title: `steered (${replyLength(result.steered)})`, text: result.steered.text },
    columns,
  );
  const rules = (result.steering.rules ?? []).flatMap((rule, at) => [
    describeRule(rule, at),
    ...rule.edits.map(describeEdit),
  ]);
  const done = [...result.steering.edits.map(describeEdit), ...rules].flatMap((line) => wrap(line, columns));
  const run = `${result.model}, seed ${request.seed}, temperature ${request.temperature}`;
  return [...wrap(`> ${request.prompt}`, columns), '', replies, '', ...done, printable(run)].join('\n');
}

function replyLength(reply: SteerReply): string {
  const ended = { length: ', cut', rule: ', ended by a rule', stop: '' }[reply.finishReason];
  return `${reply.completionTokens} tokens${ended}`;
}

function describeEdit(edit: SteeringBlockEdit): string {
  const skipped = edit.sink_tokens_skipped > 0 ? `, ${edit.sink_tokens_skipped} sink tokens left alone` : '';
  const { coefficient, relative_dose: dose } = edit;
  const written = coefficient ? `, coefficient ${range(coefficient)}` : '';
  const relative = dose === null ? '' : `, mean dose ${(dose * 100).toPrecision(3)} % of the stream`;
  const asked = edit.value_asked === undefined ? '' : `, asked ${short(edit.value_asked)}`;
  const read = edit.value_read_back ? `, reads ${range(edit.value_read_back)}` : '';
  return `${edit.mode} ${edit.target} at ${edit.hook_point}: ${edit.tokens} tokens${skipped}${written}${relative}${asked}${read}`;
}

function describeRule(rule: SteeringBlockRule, at: number): string {
  const read = rule.comparisons.map(({ target, unit, read }) => `${target} ${read ? range(read) : 'unread'} (${unit})`);
  const held =
    rule.times_fired === 0 ? 'never held' : `held ${rule.times_fired} times, first through token ${rule.first_fired}`;
  const latched = rule.latched ? ', latched' : '';
  const stopped = rule.stopped ? ', ended the reply' : '';
  return `rule ${at}: ${held}${latched}${stopped}; ${rule.tokens_read} tokens read: ${read.join(', ')}`;
}

function range({ min, max }: { readonly min: number; readonly max: number }): string {
  return short(min) === short(max) ? short(min) : `${short(min)} to ${short(max)}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** The same for programs. */
export function steeringJson(request: SteerRequest, result: SteerResult): string {
  const { prompt, seed, temperature, maxTokens } = request;
  const reply = ({ text, finishReason, completionTokens }: SteerReply) => ({
    text,
    seed,
    finish_reason: finishReason,
    completion_tokens: completionTokens,
  });
  return JSON.stringify(
    {
      model: result.model,
      prompt,
      temperature,
      max_tokens: maxTokens,
      unsteered: reply(result.unsteered),
      steered: { ...reply(result.steered), steering: result.steering },
    },
    null,
    2,
  );
}
