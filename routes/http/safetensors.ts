import type { Context } from 'hono';
import { type SafetensorsType, safetensorsHead, TillerError, tensorBytes } from '../../engine/core/index.ts';
import { safetensorsType } from './accept.ts';
import type { AppEnv } from './router.ts';

/** A tensor of an answer: its elements as they lie in memory, which is little endian wherever Tiller runs; float16 as bit patterns. */
export interface AnswerTensor {
  readonly type: SafetensorsType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | BigInt64Array;
}

/**
 * Answers with a safetensors file: the tensors by name in this order, wider elements first, and metadata as strings. Nothing is copied,
 * so the arrays must not be written to until the answer has gone out.
 */
export function safetensorsResponse(
  c: Context<AppEnv>,
  tensors: ReadonlyMap<string, AnswerTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Response {
  const { bytes, size } = safetensorsHead(tensors, metadata);
  const pieces = [bytes, ...Array.from(tensors, ([name, tensor]) => bytesOf(name, tensor))].filter(
    (piece) => piece.length > 0,
  );
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = pieces.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
  });
  return c.body(body, 200, { 'Content-Type': safetensorsType, 'Content-Length': String(size) });
}

function bytesOf(name: string, { type, shape, data }: AnswerTensor): Uint8Array {
  if (tensorBytes({ type, shape }) !== data.byteLength) {
    throw new TillerError('internal', `tensor '${name}' is not of its own shape`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
