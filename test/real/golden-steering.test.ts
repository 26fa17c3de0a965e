import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileEdits, type EditSpecification } from '../../engine/index.ts';
import type { LoadedModel } from '../../engine/load-model.ts';
import { positionsMask } from '../../engine/steering/index.ts';
import { openRegistry, type Registry } from '../../sae-registry/index.ts';
import { loadDefaultModel } from '../harness/default-model.ts';
import {
  floats,
  type GoldenEdit,
  type GoldenSteering,
  goldenEncodings,
  goldenSteering,
  logitsDifference,
} from '../harness/golden.ts';
import { runPrompt } from '../harness/run-prompt.ts';

const modelId = 'smollm2-135m-instruct';
const sourceId = `${modelId}/17-res-4k`;
let model: LoadedModel;
let registry: Registry;
/** Largest deviations seen, for docs/correctness.md. */
const worst = { logits: 0, activation: 0, besideThreshold: 0 };
const note = (kind: keyof typeof worst, deviation: number) => {
  worst[kind] = Math.max(worst[kind], deviation);
  return deviation;
};
beforeAll(async () => {
  model = await loadDefaultModel({ slots: 2 });
  const { dModel, blocks } = model.config;
  registry = await openRegistry({
    model: { id: modelId, dModel, blocks, hash: model.hash },
    sources: [sourceId, `${modelId}/8-res-4k`, `${modelId}/25-res-4k`],
  });
});
afterAll(async () => {
  console.log('largest deviations, steered logits and SAE activations', worst);
  await model.executor.close();
});

function specify(edit: GoldenEdit, index: number): EditSpecification {
  const target =
    edit.feature === undefined
      ? registry.vectorTarget('inline', edit.hook_point as string, floats(edit.vector as string))
      : registry.target(`${sourceId}/${edit.feature}`, 'feature');
  return {
    target,
    mode: edit.mode,
    number: edit.strength ?? edit.value ?? edit.factor ?? null,
    unit: edit.mode === 'ablate' || edit.factor !== undefined ? null : 'raw',
    positions: edit.positions ?? 'all_but_first',
    skipSpecial: false,
    onlyIfActive: false,
    param: `edits[${index}]`,
  };
}

function maskedEdits({ ids, edits }: GoldenSteering) {
  const { dModel, blocks } = model.config;
  const compiled = compileEdits(edits.map(specify), { dModel, blocks, maxEdits: 8, promptLength: ids.length });
  const context = {
    promptLength: ids.length,
    assistantRanges: [],
    promptIsSpecial: new Uint8Array(ids.length),
    specialTokenIds: model.tokenizer.specialTokenIds,
  };
  return compiled.map(({ edit }) => ({ edit, mask: positionsMask(edit, context, 0, Int32Array.from(ids)) }));
}

const name = ({ name: prompt, edits }: GoldenSteering) =>
  `${prompt}: ${edits.map((edit) => `${edit.mode} ${edit.feature ?? edit.hook_point}`).join(' + ')}`;

describe('steering against transformers', () => {
  it.each(goldenSteering().map((example) => ({ title: name(example), example })))('$title', async ({ example }) => {
    const run = await runPrompt(model.executor, example.ids, { edits: maskedEdits(example) });
    const logits = run.logits.at(-1) as Float32Array;
    expect(note('logits', logitsDifference(logits, example.logits_last))).toBeLessThan(2e-3);
    const plain = (await runPrompt(model.executor, example.ids)).logits.at(-1) as Float32Array;
    const moved = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - (plain[i] as number))), 0);
    expect(moved, 'the edit changed something').toBeGreaterThan(5e-3);
  });
});

describe('SAE activations against SAELens', () => {
  const files = {
    '17-res-4k': 'sae.json',
    '8-res-4k': 'sae-8-res-4k.json',
    '25-res-4k': 'sae-25-res-4k.json',
  } as const;
  const cases = Object.entries(files).flatMap(([source, file]) =>
    goldenEncodings(file).map((golden) => ({ ...golden, source })),
  );
  it.each(cases)(
    '$source, $name: the same features fire with the same values',
    async ({ ids, features_by_position, source: name }) => {
      const source = registry.sources.find((each) => each.name === name);
      if (!source) throw new Error('no source');
      const { dModel } = model.config;
      const run = await runPrompt(model.executor, ids, { taps: [source.hookPoint] });
      const stream = run.taps.get(source.hookPoint) as Float32Array;
      let compared = 0;
      for (const [p, expected] of features_by_position.entries()) {
        const activations = source.dictionary.encode(stream.slice((p + 1) * dModel, (p + 2) * dModel));
        const want = new Map(expected);
        for (const [index, value] of activations.entries()) {
          const golden = want.get(index) ?? 0;
          // A reading within 1e-3 of the threshold may fall on either side.
          if ((value === 0) !== (golden === 0)) {
            const { threshold } = source.dictionary.feature(index);
            expect(note('besideThreshold', Math.abs(Math.max(value, golden) - threshold))).toBeLessThan(1e-3);
          } else if (golden !== 0) {
            expect(note('activation', Math.abs(value - golden) / Math.abs(golden))).toBeLessThan(1e-3);
            compared++;
          }
        }
      }
      if (ids.length > 1) expect(compared).toBeGreaterThan(10 * (ids.length - 1));
    },
  );
});
