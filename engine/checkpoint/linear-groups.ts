import type { ModelConfig } from '../core/index.ts';
import type { Checkpoint } from './checkpoint.ts';

/** Linear layers, their biases apart, that read the same input: stored, and where the storage allows it computed, as one matrix. */
export interface LinearGroup {
  /** `model.layers.0.self_attn.qkv_proj` */
  readonly name: string;
  /** Names of the matrices (decoder-shapes.ts), [out, width] each, in the order of their outputs. */
  readonly weights: readonly string[];
}

/** The groups of every block, and the unembedding; graph/block.ts computes them under these names. */
export function linearGroups(config: ModelConfig): LinearGroup[] {
  const blocks = Array.from({ length: config.blocks }, (_, block) => {
    const at = (name: string) => `model.layers.${block}.${name}`;
    const single = (name: string): LinearGroup => ({ name: at(name), weights: [at(`${name}.weight`)] });
    const several = (name: string, parts: readonly string[]): LinearGroup => {
      const module = name.slice(0, name.indexOf('.'));
      return { name: at(name), weights: parts.map((part) => at(`${module}.${part}_proj.weight`)) };
    };
    return [
      several('self_attn.qkv_proj', ['q', 'k', 'v']),
      single('self_attn.o_proj'),
      config.gatedMlp ? several('mlp.gate_up_proj', ['gate', 'up']) : single('mlp.up_proj'),
      single('mlp.down_proj'),
    ];
  });
  const embedding = config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  return [...blocks.flat(), { name: unembeddingGroup, weights: [embedding] }];
}

/** The matrix that a group is stored as: its matrices, [out, width] each, below each other. */
export function groupShape({ weights }: LinearGroup, tensors: Pick<Checkpoint, 'tensors'>['tensors']) {
  const shapes = weights.map((name) => tensors.get(name)?.shape ?? []);
  return { outputs: shapes.reduce((sum, [out = 0]) => sum + out, 0), width: shapes[0]?.[1] ?? 0 } as const;
}

/** The group of the matrix from the stream to logits, the embedding matrix itself where the two are tied. */
export const unembeddingGroup = 'unembedding';
