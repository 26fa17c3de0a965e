import { z } from 'zod';
import { readActivations } from '../../../engine/index.ts';
import { runStatisticsJob } from '../../../sae-registry/index.ts';
import { textSequences } from '../../reading-texts.ts';
import { type JobWork, jobKind } from '../job-kind.ts';

const parametersSchema = z.strictObject({
  source: z.string().min(1),
  sequence_tokens: z.int().min(2).max(1_048_576).default(256),
});

/** Most activations of a token that are read: those of a token that counts are far fewer. */
const mostActivations = 4096;

/** What `tiller sae stats` does: statistics and examples of a source's features, in place of those that were there. One item, which saves itself. */
export const statisticsJob = jobKind({
  name: 'statistics',
  summary: 'Statistics and examples of every feature of a source, in place of those it has.',
  parameters: parametersSchema,
  check({ source }, { ready }) {
    ready.registry.sourcesNamed([source], 'parameters.source');
  },
  open({ source: name, sequence_tokens }, run): JobWork {
    const collect = () =>
      run.use(async ({ ready: { engine, model, registry } }) => {
        const [source] = registry.sourcesNamed([name], 'parameters.source');
        if (!source) throw new Error('a source that was named is not there');
        const tokens = Math.min(sequence_tokens, model.executor.context);
        const encodings = [
          { encoder: registry.encoder(source), limit: Math.min(mostActivations, source.dictionary.features) },
        ];
        const outcome = await runStatisticsJob({
          store: registry.store,
          source,
          text: `job ${run.id} in ${tokens}`,
          sequences: textSequences(model, { path: run.inputsPath, tokens }),
          saveMilliseconds: 5_000,
          read: async function* (given) {
            const { signal } = run;
            const reading = { id: `job-${run.id}`, encodings, signal };
            for await (const { tokenIds, activations } of readActivations(engine, paused(given), reading)) {
              yield { tokenIds, activations: activations[0] as (typeof activations)[number] };
            }
          },
          tokenText: (id) => model.tokenizer.tokenText(id),
        });
        const { texts, tokens: counted, version, silent, truncated, resumed } = outcome;
        return { source: source.id, texts, tokens: counted, version, silent, truncated, resumed };
      });
    /** Before each text interactive traffic goes first. */
    async function* paused(given: AsyncIterable<Int32Array>): AsyncGenerator<Int32Array> {
      for await (const sequence of given) {
        await run.pause();
        yield sequence;
      }
    }
    return {
      total: 1,
      items: (async function* () {
        yield { key: 'statistics', run: collect };
      })(),
    };
  },
});
