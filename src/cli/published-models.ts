import type { DecoderSize } from '../../engine/checkpoint/index.ts';

/**
 * A published model's shape, as its config.json on the Hugging Face Hub states it. The Hub could not be reached where these were written; they were
 * compared, number by number, with two libraries that load the published files:
 *
 * - litgpt/config.py of Lightning-AI/litgpt at 26857050fe3f: everything but GPT-2 and Gemma 3 270M;
 * - docs/model_table.jsonl of mivanit/transformerlens-model-table at adf1fcdbdbe0 (TransformerLens 2.17.0): GPT-2 and Gemma 3 270M, and
 *   all others but SmolLM2 a second time.
 *
 * What neither says, or says otherwise, is in `unverified`.
 */
export interface PublishedModel extends DecoderSize {
  /** As `--model` takes it. */
  readonly repository: string;
  /** What the published files hold. */
  readonly stored: 'F32' | 'F16' | 'BF16';
  /** Fields that nothing at hand confirmed. */
  readonly unverified: readonly (keyof DecoderSize | 'stored')[];
}

type Row = readonly [
  repository: string,
  blocks: number,
  dModel: number,
  heads: number,
  keyValueHeads: number,
  headDim: number,
  mlpWidth: number,
  vocabulary: number,
  context: number,
];

const gated = { gatedMlp: true, tied: true, stored: 'BF16' } as const;
const neox = { gatedMlp: false, tied: false, stored: 'F16' } as const;

/** Besides the type of the files, which configurations of libraries do not tell. */
const unverified: Readonly<Record<string, PublishedModel['unverified']>> = {
  // TransformerLens caps the context, and litgpt does not have the model
  'google/gemma-3-270m': ['stored', 'context'],
  // litgpt has 131,072 for its instruction-tuned twin, as for the larger ones; the model card says 32K
  'google/gemma-3-1b-pt': ['stored', 'context'],
};

function shaped(rows: readonly Row[], rest: Pick<PublishedModel, 'gatedMlp' | 'tied' | 'stored'>) {
  return rows.map(
    ([repository, blocks, dModel, heads, keyValueHeads, headDim, mlpWidth, vocabulary, context]): PublishedModel => ({
      ...{ repository, blocks, dModel, heads, keyValueHeads, headDim, mlpWidth, vocabulary, context },
      ...rest,
      unverified: unverified[repository] ?? ['stored'],
    }),
  );
}

/** Models that interpretability work is done on, smallest first within each family. The only place for their shapes: the benchmark of larger models takes them from here. */
export const publishedModels: readonly PublishedModel[] = [
  ...shaped([['openai-community/gpt2', 12, 768, 12, 12, 64, 3072, 50_257, 1024]], {
    gatedMlp: false,
    tied: true,
    stored: 'F32',
  }),
  ...shaped(
    [
      ['EleutherAI/pythia-70m', 6, 512, 8, 8, 64, 2048, 50_304, 2048],
      ['EleutherAI/pythia-160m', 12, 768, 12, 12, 64, 3072, 50_304, 2048],
      ['EleutherAI/pythia-410m', 24, 1024, 16, 16, 64, 4096, 50_304, 2048],
      ['EleutherAI/pythia-1b', 16, 2048, 8, 8, 256, 8192, 50_304, 2048],
      ['EleutherAI/pythia-1.4b', 24, 2048, 16, 16, 128, 8192, 50_304, 2048],
    ],
    neox,
  ),
  ...shaped(
    [
      ['Qwen/Qwen2.5-0.5B', 24, 896, 14, 2, 64, 4864, 151_936, 32_768],
      ['Qwen/Qwen2.5-1.5B', 28, 1536, 12, 2, 128, 8960, 151_936, 131_072],
      ['Qwen/Qwen3-0.6B', 28, 1024, 16, 8, 128, 3072, 151_936, 40_960],
      ['Qwen/Qwen3-1.7B', 28, 2048, 16, 8, 128, 6144, 151_936, 40_960],
      ['meta-llama/Llama-3.2-1B', 16, 2048, 32, 8, 64, 8192, 128_256, 131_072],
      ['meta-llama/Llama-3.2-3B', 28, 3072, 24, 8, 128, 8192, 128_256, 131_072],
      ['google/gemma-2-2b', 26, 2304, 8, 4, 256, 9216, 256_000, 8192],
      ['google/gemma-3-270m', 18, 640, 4, 1, 256, 2048, 262_144, 32_768],
      ['google/gemma-3-1b-pt', 26, 1152, 4, 1, 256, 6912, 262_144, 32_768],
      ['HuggingFaceTB/SmolLM2-135M', 30, 576, 9, 3, 64, 1536, 49_152, 8192],
      ['HuggingFaceTB/SmolLM2-360M', 32, 960, 15, 5, 64, 2560, 49_152, 8192],
      ['HuggingFaceTB/SmolLM2-1.7B', 24, 2048, 32, 32, 64, 8192, 49_152, 8192],
    ],
    gated,
  ),
];

/** One of them by its repository. Throws for one that is not there. */
export function publishedModel(repository: string): PublishedModel {
  const found = publishedModels.find((model) => model.repository === repository);
  if (!found) throw new Error(`'${repository}' is none of the published models.`);
  return found;
}
