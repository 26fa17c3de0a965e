import { type ChatMessage, nearest, TillerError } from '../../engine/core/index.ts';
import type { Warning } from '../http/router.ts';
import type { ChatMessageBody } from './schemas/chat.ts';

const roles = ['system', 'user', 'assistant', 'developer'];
const steerOneMessage =
  "A message has no steering of its own: put 'steering' at the top level, and say where it acts with 'positions'.";
const toolRoles = ['tool', 'function'];

/**
 * Messages as the chat template takes them. `developer` is OpenAI's newer name for instructions and is read as `system`, which
 * is the role that templates know. Text parts are joined by line breaks, as vLLM does. Images, audio, files, tool calls
 * and tool results are refused by name; a message's `name` has no place in templates and becomes a warning.
 */
export function toChatMessages(messages: readonly ChatMessageBody[]): {
  readonly messages: readonly ChatMessage[];
  readonly warnings: readonly Warning[];
} {
  const warnings: Warning[] = [];
  const converted = messages.map((message, index) => {
    const param = `messages[${index}]`;
    const role = toRole(message.role, `${param}.role`);
    for (const field of ['tool_calls', 'function_call', 'audio']) {
      const value = message[field];
      if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
      throw unsupported(`'${field}' in a message is not supported.`, `${param}.${field}`);
    }
    const steering = Object.keys(message).find((field) => field.toLowerCase().startsWith('steer'));
    if (steering !== undefined) throw unsupported(steerOneMessage, `${param}.${steering}`);
    if (typeof message.name === 'string') {
      warnings.push({ param: `${param}.name`, message: 'The chat template has no place for names: it had no effect.' });
    }
    return { role, content: toContent(message.content, `${param}.content`) };
  });
  return { messages: converted, warnings };
}

function toRole(role: string, param: string): string {
  if (toolRoles.includes(role))
    throw unsupported(`Messages with role '${role}' are not supported: tools are not.`, param);
  if (!roles.includes(role)) {
    throw new TillerError('invalid_request', `Unknown role '${role}'. Known: ${roles.join(', ')}.`, {
      param,
      suggestions: nearest(role, roles),
    });
  }
  return role === 'developer' ? 'system' : role;
}

function toContent(content: ChatMessageBody['content'], param: string): string {
  if (typeof content === 'string') return content;
  if (!content) throw new TillerError('invalid_request', `'${param}' is missing.`, { param });
  return content
    .map((part, index) => {
      if (part.type !== 'text') {
        throw unsupported(
          `Content of type '${part.type}' is not supported: only 'text' is.`,
          `${param}[${index}].type`,
        );
      }
      if (part.text === undefined) {
        throw new TillerError('invalid_request', `'${param}[${index}].text' is missing.`, {
          param: `${param}[${index}].text`,
        });
      }
      return part.text;
    })
    .join('\n');
}

function unsupported(message: string, param: string): TillerError {
  return new TillerError('unsupported', message, { param });
}
