import { type ModelConfig, TillerError } from '../core/index.ts';
import { checkedConfig } from './check-config.ts';
import type { Checkpoint } from './checkpoint.ts';
import { sourceTensors } from './families/index.ts';
import { type GgufFamily, GgufFile, ggufFamilyOf } from './gguf-families/index.ts';
import { type GgufEntry, readGgufHeader } from './gguf-header.ts';
import { GgufMetadata } from './gguf-metadata.ts';
import { ggufTokenizer, ggufTokens } from './gguf-tokenizer.ts';
import { interleavedHeads } from './interleaved-rows.ts';
import { LocalFile } from './local-file.ts';
import { OpenedCheckpoint } from './opened-checkpoint.ts';
import { checkTensors } from './select-tensors.ts';
import { rowsOf, type StoredTensor } from './tensor.ts';
import { readInto } from './tensor-reader.ts';

/** Opens one GGUF file. The caller owns the checkpoint and closes it. */
export async function openGguf(path: string): Promise<Checkpoint> {
  const file = await LocalFile.open(path);
  try {
    return await read(path, file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function read(path: string, file: LocalFile): Promise<Checkpoint> {
  const header = await readGgufHeader(file);
  const metadata = new GgufMetadata(path, header.metadata);
  const family = ggufFamilyOf(path, metadata.string('general.architecture'));
  if ((metadata.number('split.count') ?? 1) > 1) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path} is one part of a split GGUF; merge it with llama-gguf-split --merge.`,
    );
  }
  const found = new Map(header.entries.map((entry) => [entry.name, { ...entry, file: 0, interleavedHeads: null }]));
  const config = await configOf(file, metadata, family, found);
  const tensors = selectTensors(path, family, config, found);
  // Its tokens are read last: a file that is refused has not made anybody a list of a million of them.
  const tokenizerFiles = ggufTokenizer(metadata);
  const chatTemplate = metadata.string('tokenizer.chat_template') ?? null;
  return new OpenedCheckpoint({ path, format: 'gguf', config, files: [file], tensors, tokenizerFiles, chatTemplate });
}

async function configOf(
  file: LocalFile,
  metadata: GgufMetadata,
  family: GgufFamily,
  found: ReadonlyMap<string, StoredTensor>,
): Promise<ModelConfig> {
  const embedding = found.get('token_embd.weight');
  if (embedding === undefined) {
    throw new TillerError('checkpoint_invalid', `${file.path} lacks tensor 'token_embd.weight'.`);
  }
  const description = new GgufFile(metadata, family.architecture, {
    vocabularySize: embedding.shape[0] ?? 0,
    tiedEmbeddings: !found.has('output.weight'),
    rotaryDivisors: await rotaryDivisors(file, found.get(divisorsName)),
    tensors: found,
  });
  const config = family.configure(description);
  description.refuseUnread();
  return checkedConfig(file.path, { ...config, ...ggufTokens(metadata) });
}

/** What Llama 3.1 and later divide their rotary frequencies by, one for each pair of a head's dimensions. */
const divisorsName = 'rope_freqs.weight';
const mostDivisors = 4096;

async function rotaryDivisors(file: LocalFile, tensor: StoredTensor | undefined): Promise<readonly number[] | null> {
  if (tensor === undefined) return null;
  const [count = 0, ...others] = tensor.shape;
  if (others.length > 0 || count > mostDivisors) {
    throw new TillerError(
      'checkpoint_invalid',
      `${file.path}: tensor '${divisorsName}' has the shape [${tensor.shape.join(', ')}].`,
    );
  }
  const values = new Float32Array(count);
  await readInto(file, tensor, values);
  return [...values];
}

/** The model's weights under the graph's names, each with its place in the file. */
function selectTensors(
  path: string,
  { architecture, weights, interleavedRotary }: GgufFamily,
  config: ModelConfig,
  found: ReadonlyMap<string, GgufEntry & StoredTensor>,
): Map<string, StoredTensor> {
  const sources = sourceTensors(weights, config);
  const shapes = new Map(Array.from(sources.values(), ({ from, storedShape }) => [from, storedShape]));
  const isHarmless = (name: string) => name === divisorsName;
  checkTensors(path, { shapes, owner: `a GGUF file of architecture ${architecture}`, isHarmless }, found);
  const selected = new Map<string, StoredTensor>();
  for (const [name, { from, shape, taken }] of sources) {
    const tensor = found.get(from);
    if (tensor === undefined) continue;
    // Fused projections are one below the other: each is a tensor of its own, whose blocks can be executed.
    const whole = taken === null ? { ...tensor, name } : rowsOf(tensor, name, taken.runs.first, shape[0] ?? 0);
    selected.set(name, { ...whole, interleavedHeads: interleavedRotary ? interleavedHeads(name, config) : null });
  }
  return selected;
}
