import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface ExportOptions {
  readonly features: number;
  /** Features in a file; Neuronpedia's own exports have 1,024. */
  readonly batch?: number;
  readonly modelId?: string;
  readonly layer?: string;
  readonly hookName?: string;
  /** Passages of each feature. */
  readonly passages?: number;
}

/** A row of each kind, with the fields that Neuronpedia's database has, most of which nobody here reads. */
export function neuronpediaRows(index: number, options: ExportOptions) {
  const { modelId = 'gpt2-small', layer = '1-res-jb', hookName = 'blocks.1.hook_resid_post', passages = 24 } = options;
  const owner = { modelId, layer, index: String(index) };
  const made = { createdAt: '2025-01-01T00:00:00.000Z', creatorId: 'clkht01d4' };
  const max = 2 + index / 8;
  const middles = Array.from({ length: 40 }, (_, i) => Number(((max * (i + 0.5)) / 40).toFixed(5)));
  return {
    feature: {
      ...owner,
      ...made,
      ...{ sourceSetName: 'res-jb', maxActApprox: max, hasVector: false, vector: [], vectorLabel: null, hookName },
      ...{ topkCosSimIndices: [1, 2], topkCosSimValues: [0.5, 0.25], neuron_alignment_indices: [], umap_x: 0 },
      ...{ neg_str: ['ÃÂ', ' dogs'], neg_values: [-0.5, -0.25], pos_str: [' cats', ' cat'], pos_values: [1.5, 1] },
      frac_nonzero: 0.001 * (index + 1),
      freq_hist_data_bar_heights: middles.map((_, i) => 100 - 2 * i),
      freq_hist_data_bar_values: middles,
      ...{ logits_hist_data_bar_heights: [1], logits_hist_data_bar_values: [0], decoder_weights_dist: [] },
    },
    activations: Array.from({ length: passages }, (_, i) => {
      const tokens = ['<|endoftext|>', `the ${index}`, ` cat ${i}`, '.'];
      const peak = Math.fround(max - i / 16);
      return {
        ...{ id: `c${index}-${i}`, ...owner, ...made, tokens, values: [0, 0, peak, peak / 4] },
        ...{ maxValue: peak, maxValueTokenIndex: 2, minValue: 0, dataIndex: null, dataSource: null },
        ...{ dfaValues: [], dfaTargetIndex: null, dfaMaxValue: null, lossValues: [], binMin: 0, binMax: peak },
      };
    }),
    explanations: [
      {
        ...{ id: `e${index}`, ...owner, ...made, description: `cats of kind ${index}`, authorId: 'clkht01d4' },
        ...{ typeName: 'oai_token-act-pair', explanationModelName: 'gpt-4o-mini', embedding: [0.5, -0.5] },
        scores: [{ value: 0.75, explanationScoreTypeName: 'eleuther_fuzz', explanationScoreModelName: 'gpt-4o-mini' }],
        ...{ notes: null, triggeredByUserId: null, umap_log_feature_sparsity: 0 },
      },
    ],
  };
}

/** Writes an export as Neuronpedia's bucket has it, and returns its folder. */
export function writeNeuronpediaExport(folder: string, options: ExportOptions): string {
  const { features, batch = 8 } = options;
  for (let first = 0; first < features; first += batch) {
    const rows = Array.from({ length: Math.min(batch, features - first) }, (_, i) =>
      neuronpediaRows(first + i, options),
    );
    const files = {
      features: rows.map(({ feature }) => feature),
      activations: rows.flatMap(({ activations }) => activations),
      explanations: rows.flatMap(({ explanations }) => explanations),
    };
    for (const [kind, lines] of Object.entries(files)) {
      mkdirSync(join(folder, kind), { recursive: true });
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      writeFileSync(join(folder, kind, `batch-${first / batch}.jsonl.gz`), gzipSync(text));
    }
  }
  return folder;
}
