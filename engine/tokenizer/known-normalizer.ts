import { TillerError } from '../core/index.ts';
import { type Component, isComponent } from './tokenizer-json.ts';

/** Normalizers whose results in @huggingface/tokenizers 0.2 are those of the original library. */
const known = ['NFC', 'NFD', 'NFKC', 'NFKD', 'Prepend', 'Replace', 'Sequence'];

/** The normalizer of a tokenizer.json, null where there is none; others than the known ones are refused (`checkpoint_unsupported`). */
export function knownNormalizer(path: string, normalizer: Component | null | undefined): Component | null {
  if (!normalizer) return null;
  if (!known.includes(normalizer.type)) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: the normalizer '${normalizer.type}' is not supported. ${known.join(', ')} are.`,
    );
  }
  if (normalizer.type === 'Sequence') {
    const steps: unknown = normalizer.normalizers;
    if (!Array.isArray(steps) || !steps.every(isComponent)) {
      throw new TillerError('checkpoint_invalid', `${path}: a normalizer of type Sequence lists no normalizers.`);
    }
    for (const step of steps) knownNormalizer(path, step);
  }
  return normalizer;
}
