import { TillerError } from '../../core/index.ts';
import { isPickledWeights, refusePickledWeights } from '../pickled-weights.ts';
import { safetensorsIndexName } from '../safetensors-index.ts';
import type { NamedFile } from './model-cache.ts';
import { type RepositoryName, repositoryLabel } from './repository-name.ts';

/** What of a repository makes a checkpoint. */
export type RepositoryChoice =
  | { readonly kind: 'gguf'; readonly file: NamedFile }
  | {
      readonly kind: 'safetensors';
      /** Everything but the weights. */
      readonly beside: readonly NamedFile[];
      /** model.safetensors, or the index that names the shards. */
      readonly weights: NamedFile;
    };

/** What openCheckpoint reads of a folder besides weights. */
const besideWeights = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
];

/**
 * Chooses what to fetch: the GGUF file that the name asks for, else safetensors, else the only GGUF file. Throws
 * `checkpoint_unsupported` for pickled weights and `model_not_found` where nothing fits, naming what there is.
 */
export function chooseFiles(name: RepositoryName, files: readonly NamedFile[]): RepositoryChoice {
  const label = repositoryLabel(name);
  const find = (wanted: string) => files.find((file) => file.name === wanted);
  const ggufs = files.filter((file) => file.name.toLowerCase().endsWith('.gguf'));
  if (name.file !== null) return { kind: 'gguf', file: namedGguf(label, name.file, ggufs) };
  const weights = find(safetensorsIndexName) ?? find('model.safetensors');
  if (weights) {
    if (!find('config.json')) throw notFound(`${label} has ${weights.name} but no config.json`);
    return { kind: 'safetensors', beside: besideWeights.flatMap((wanted) => find(wanted) ?? []), weights };
  }
  const [first, ...others] = ggufs;
  if (first && others.length === 0) return { kind: 'gguf', file: first };
  if (first) {
    throw notFound(`${label} holds several GGUF files (${list(ggufs)}): name one, as in '${label}:${first.name}'`);
  }
  const pickled = files.find((file) => isPickledWeights(file.name));
  if (pickled) throw refusePickledWeights(label, pickled.name);
  throw notFound(`${label} holds neither model.safetensors, its index, nor a .gguf file at its top`);
}

/** By the whole name, or by its end before `.gguf`: `Q4_K_M`. */
function namedGguf(label: string, wanted: string, ggufs: readonly NamedFile[]): NamedFile {
  const end = wanted.toLowerCase().replace(/\.gguf$/, '');
  const exact = ggufs.find(({ name }) => name === wanted);
  const found = exact ? [exact] : ggufs.filter(({ name }) => endsInWord(name.toLowerCase().slice(0, -5), end));
  const [file, ...others] = found;
  if (file && others.length === 0) return file;
  throw notFound(
    `${label}: ${file ? `'${wanted}' may mean ${list(found)}` : `no GGUF file is called so. There are: ${list(ggufs)}`}`,
  );
}

function endsInWord(text: string, end: string): boolean {
  return text === end || text.endsWith(`.${end}`) || text.endsWith(`-${end}`);
}

function list(files: readonly NamedFile[]): string {
  const names = files.slice(0, 12).map(({ name }) => name);
  return `${names.join(', ') || 'none'}${files.length > names.length ? ' and more' : ''}`;
}

function notFound(message: string): TillerError {
  return new TillerError('model_not_found', `${message}.`, { param: 'model' });
}
