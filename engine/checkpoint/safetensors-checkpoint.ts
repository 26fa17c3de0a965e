import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ModelConfig, TillerError } from '../core/index.ts';
import type { Checkpoint, TokenizerFiles } from './checkpoint.ts';
import { configFromJson } from './config-json.ts';
import { type Family, sourceName, sourceTensors } from './families/index.ts';
import { isReadable } from './gguf-types.ts';
import { chatTemplateFromFolder, prependedToken, tokenizerEndTokens } from './huggingface-files.ts';
import { configBounds, tableBounds, tokenizerBounds } from './limits.ts';
import { LocalFile, readJson } from './local-file.ts';
import { OpenedCheckpoint } from './opened-checkpoint.ts';
import { readSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.ts';
import { parseSafetensorsIndex, safetensorsIndexName } from './safetensors-index.ts';
import { checkTensors } from './select-tensors.ts';
import type { StoredTensor } from './tensor.ts';

/** Opens a Hugging Face folder: config.json with model.safetensors, or with its shards and their index. */
export async function openSafetensorsFolder(folder: string): Promise<Checkpoint> {
  const index = await readJson(join(folder, safetensorsIndexName), tableBounds);
  if (index === undefined) return openFiles(folder, folder, ['model.safetensors'], undefined);
  const placement = parseSafetensorsIndex(join(folder, safetensorsIndexName), index);
  return openFiles(folder, folder, [...new Set(placement.values())].sort(), placement);
}

/** Opens one .safetensors file; config.json and the tokenizer are looked for beside it. */
export function openSafetensorsFile(path: string): Promise<Checkpoint> {
  return openFiles(path, dirname(path), [basename(path)], undefined);
}

async function openFiles(
  path: string,
  folder: string,
  names: readonly string[],
  placement: ReadonlyMap<string, string> | undefined,
): Promise<Checkpoint> {
  const files: LocalFile[] = [];
  try {
    for (const name of names) files.push(await LocalFile.open(join(folder, name)));
    return await read(path, folder, files, placement && { names, placement });
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

async function read(
  path: string,
  folder: string,
  files: readonly LocalFile[],
  sharding: { readonly names: readonly string[]; readonly placement: ReadonlyMap<string, string> } | undefined,
): Promise<Checkpoint> {
  const configPath = join(folder, 'config.json');
  const configJson = await readJson(configPath, configBounds);
  if (configJson === undefined) {
    throw new TillerError(
      'checkpoint_invalid',
      `${configPath} is missing: a safetensors checkpoint needs it beside the weights.`,
    );
  }
  const tokenizer = await readJson(join(folder, 'tokenizer.json'), tokenizerBounds);
  const tokenizerConfig = (await readJson(join(folder, 'tokenizer_config.json'), tableBounds)) ?? null;
  const { family, config } = configFromJson(
    configPath,
    configJson,
    await readJson(join(folder, 'generation_config.json'), configBounds),
    {
      bosTokenId: prependedToken(tokenizer),
      eosTokenIds: tokenizerEndTokens(tokenizer, tokenizerConfig),
    },
  );
  const found = await foundTensors(files);
  if (sharding) checkPlacement(path, found, sharding.names, sharding.placement);
  const tensors = selectTensors(path, family, config, found);
  const tokenizerFiles: TokenizerFiles | null =
    tokenizer === undefined ? null : { kind: 'huggingface', tokenizer, tokenizerConfig };
  const chatTemplate = await chatTemplateFromFolder(folder, tokenizerConfig);
  return new OpenedCheckpoint({ path, format: 'safetensors', config, files, tensors, tokenizerFiles, chatTemplate });
}

/** A tensor as a header describes it, and which file's. */
interface FoundTensor extends SafetensorsEntry {
  readonly file: number;
}

async function foundTensors(files: readonly LocalFile[]): Promise<Map<string, FoundTensor>> {
  const found = new Map<string, FoundTensor>();
  for (const [index, file] of files.entries()) {
    for (const entry of (await readSafetensorsHeader(file)).entries) {
      if (found.has(entry.name)) {
        throw new TillerError('checkpoint_invalid', `${file.path}: tensor '${entry.name}' is in another shard too.`);
      }
      found.set(entry.name, { ...entry, file: index });
    }
  }
  return found;
}

/** The model's weights under the graph's names, each with its place in a file (families/). */
function selectTensors(
  path: string,
  { weights, name: familyName }: Family,
  config: ModelConfig,
  found: ReadonlyMap<string, FoundTensor>,
): Map<string, StoredTensor> {
  const plain = new Map<string, FoundTensor>();
  for (const [name, tensor] of found) {
    const plainName = weights.plainName?.(name) ?? name;
    const other = plain.get(plainName);
    if (other) throw new TillerError('checkpoint_invalid', `${path}: '${other.name}' and '${name}' are one tensor.`);
    plain.set(plainName, tensor);
  }
  const sources = sourceTensors(weights, config);
  const shapes = new Map(Array.from(sources.values(), ({ from, storedShape }) => [from, storedShape]));
  for (const [name, tensor] of plain) if (shapes.has(name)) checkType(path, tensor.name, tensor.dtype);
  const isHarmless = (name: string) =>
    (config.tiedEmbeddings && name === sourceName(weights, 'lm_head.weight')) ||
    weights.unused.some((pattern) => pattern.test(name));
  checkTensors(path, { shapes, owner: `the ${familyName} family`, isHarmless }, plain);
  const selected = new Map<string, StoredTensor>();
  for (const [name, { from, shape, taken }] of sources) {
    const tensor = plain.get(from);
    if (tensor === undefined) continue;
    const { offset, byteLength, file } = tensor;
    const type = checkType(path, tensor.name, tensor.dtype);
    selected.set(name, { name, shape, offset, byteLength, file, type, interleavedHeads: null, taken });
  }
  return selected;
}

function checkType(path: string, name: string, dtype: string): 'F32' | 'F16' | 'BF16' {
  if (isReadable(dtype) && (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16')) return dtype;
  throw new TillerError(
    'checkpoint_unsupported',
    `${path}: tensor '${name}' is of type ${dtype}; F32, F16 and BF16 are read.`,
  );
}

function checkPlacement(
  path: string,
  found: ReadonlyMap<string, FoundTensor>,
  names: readonly string[],
  placement: ReadonlyMap<string, string>,
): void {
  for (const [name, shard] of placement) {
    const tensor = found.get(name);
    if (tensor === undefined || names[tensor.file] !== shard) {
      throw new TillerError(
        'checkpoint_invalid',
        `${path}: ${safetensorsIndexName} says tensor '${name}' is in ${shard}; it is not.`,
      );
    }
  }
}

/** GGUF files of a folder. */
export async function ggufFilesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.toLowerCase().endsWith('.gguf')).sort();
}
