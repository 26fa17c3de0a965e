import { resolveHookPoint, TillerError } from '../../engine/core/index.ts';
import { jsonType, safetensorsType } from '../http/accept.ts';
import { refuseLargeAnswer } from '../http/answer-size.ts';
import { decodeFloat32 } from '../http/float32.ts';
import type { DirectionRequest, ModelCard, ModelService, WrittenDirection } from '../services.ts';
import { countOf } from './chosen-positions.ts';
import type { LogitsBody } from './logits-schemas.ts';

/** Bytes that an answer may have: JSON is written while the event loop stands still. */
const mostBytes = { json: 8e6, tensors: 32e6 };
/** Bytes that values of the stream may take while one input is read. */
const mostHeldBytes = 32e6;

/** Places of the lens in canonical spelling. Throws `hook_point_not_found`, and `unsupported` for what is not the stream. */
export function lensPlaces({ lens }: LogitsBody, card: ModelCard): readonly string[] {
  if (!lens) return [];
  const all = Array.from({ length: card.blocks }, (_, block) => `blocks.${block}.hook_resid_post`);
  const places = lens.hook_points?.map((name, index) => {
    const param = `lens.hook_points[${index}]`;
    const place = resolveHookPoint(name, card, param);
    if (/^(?:hook_embed|blocks\.\d+\.hook_resid_(?:pre|mid|post))$/.test(place)) return place;
    const message = `The lens looks at the stream, and '${name}' is not a place of it: name hook_embed, hook_resid_pre, hook_resid_mid or hook_resid_post.`;
    throw new TillerError('unsupported', message, { param });
  });
  return [...new Set(places ?? all)];
}

export function directionRequests({ through = [] }: LogitsBody): readonly DirectionRequest[] {
  return through.map(({ feature, vector, coefficient = null }, index) => {
    const param = `through[${index}]`;
    if ((feature === undefined) === (vector === undefined)) {
      const message = "A direction is exactly one of 'feature' and 'vector'.";
      throw new TillerError('invalid_request', message, { param });
    }
    if (typeof vector !== 'object') return { feature, vector, coefficient, param };
    const data = decodeFloat32(vector.data, `${param}.vector.data`);
    return { vector: { hookPoint: vector.hook_point, data }, coefficient, param };
  });
}

/** Refuses what would be too large an answer, or would hold too much of the stream, before anything is computed. */
export function refuseLarge(
  body: LogitsBody,
  model: ModelService,
  sizes: {
    readonly masks: readonly Uint8Array[];
    readonly lens: readonly string[];
    readonly directions: readonly WrittenDirection[];
  },
  type: typeof jsonType | typeof safetensorsType,
): void {
  const { masks, lens, directions } = sizes;
  const counts = masks.map(countOf);
  const tokens = masks.reduce((sum, mask) => sum + mask.length, 0);
  const positions = counts.reduce((sum, count) => sum + count, 0);
  const [tokenBytes, logitBytes] = type === jsonType ? [130, 95] : [4, 8];
  const perPlace = (body.top + body.tokens.length + 1) * logitBytes;
  const perDirection = (body.tokens.length + 3) * 25;
  const once = (2 * body.top + body.tokens.length + 2) * logitBytes * directions.length * masks.length;
  const bytes =
    tokens * tokenBytes + positions * ((1 + lens.length) * perPlace + directions.length * perDirection) + once;
  const fewer = 'choose fewer positions, a smaller top, fewer tokens or places of the lens, or send fewer inputs';
  const wayOut = type === jsonType ? `${fewer}, or accept '${safetensorsType}', which takes a tenth` : fewer;
  const param = lens.length > 0 ? 'lens' : 'positions';
  refuseLargeAnswer({ bytes, limit: type === jsonType ? mostBytes.json : mostBytes.tensors, param, wayOut });
  const held = Math.max(...counts) * model.logits.bytesPerPosition(lens.length + directions.length);
  if (held <= mostHeldBytes) return;
  const inMegabytes = (size: number) => (size / 1e6).toFixed(0);
  const message = `The stream at these places and positions takes ${inMegabytes(held)} MB, and ${inMegabytes(mostHeldBytes)} MB of it may be held for a request: name fewer positions or places at a time.`;
  throw new TillerError('answer_too_large', message, { param: lens.length > 0 ? 'lens' : 'through' });
}
