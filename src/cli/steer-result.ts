import type { FinishReason } from '../../engine/core/index.ts';
import type { EditRequest, SteeringBlock } from '../../routes/services.ts';
import type { WireRules } from './rules-file.ts';

/** What `tiller steer` asks for. The prompt is one user message of a chat, or plain text for a model without a template. */
export interface SteerRequest {
  readonly prompt: string;
  readonly edits: readonly EditRequest[];
  /** In wire form. */
  readonly rules: WireRules;
  /** Saved steering added to the edits; null for none. */
  readonly profile: string | null;
  readonly maxTokens: number;
  /** Of both replies, so that they differ by the steering alone. */
  readonly seed: number;
  /** 0 = greedy. */
  readonly temperature: number;
  /** 1 = off. Small models that decode greedily repeat themselves without it. */
  readonly repetitionPenalty: number;
}

export interface SteerReply {
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly completionTokens: number;
}

export interface SteerResult {
  readonly model: string;
  readonly unsteered: SteerReply;
  readonly steered: SteerReply;
  readonly steering: SteeringBlock;
}
