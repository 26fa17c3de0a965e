import type { SteeringBlockEdit } from '../../routes/services.ts';
import { printable, sideBySide, wrap } from './columns.ts';
import type { SteerReply, SteerRequest, SteerResult } from './steer-result.ts';

/** Both replies side by side, and below them what each edit did. */
export function renderSteering(request: SteerRequest, result: SteerResult, columns: number): string {
  const replies = sideBySide(
    { title: `unsteered (${replyLength(result.unsteered)})`, text: result.unsteered.text },
    { title: `steered (${replyLength(result.steered)})`, text: result.steered.text },
    columns,
  );
  const edits = result.steering.edits.flatMap((edit) => wrap(describeEdit(edit), columns));
  const run = `${result.model}, seed ${request.seed}, temperature ${request.temperature}`;
  return [...wrap(`> ${request.prompt}`, columns), '', replies, '', ...edits, printable(run)].join('\n');
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
