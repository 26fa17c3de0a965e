import { modeNumber } from '../engine/core/index.ts';
import type { EditRequest } from '../routes/services.ts';

/** An edit in the wire form of the `steering` field. */
export function toWireEdit({ feature, vector, mode, number, unit, positions, skipSpecial, onlyIfActive }: EditRequest) {
  const name = modeNumber[mode];
  return {
    ...(feature === undefined ? { vector: wireVector(vector) } : { feature }),
    mode,
    ...(name === null ? {} : { [name]: number }),
    ...(unit === null ? {} : { unit }),
    positions,
    ...(skipSpecial ? { skip: ['special'] } : {}),
    ...(onlyIfActive ? { only_if_active: true } : {}),
  };
}

function wireVector(vector: EditRequest['vector']) {
  if (vector === undefined || typeof vector === 'string') return vector;
  const { buffer, byteOffset, byteLength } = vector.data;
  return { hook_point: vector.hookPoint, data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
}
