import { z } from 'zod';
import { readOptionalYaml } from '../read-yaml.ts';
import { sourceUnsupported } from '../source-error.ts';
import type { DictionaryLoader } from './loader.ts';
import type { SourceFiles } from './source-files.ts';

const setSchema = z.object({ model_kind: z.string().nullish(), transcoders: z.unknown().optional() });

/** What is known by its files and cannot be run yet; the name is what a person is told. */
const kinds: readonly { readonly what: string; readonly is: (files: SourceFiles) => boolean | Promise<boolean> }[] = [
  {
    what: 'A cross-layer transcoder',
    is: async (files) =>
      named(files, /^W_(enc|dec)_\d+\.safetensors$/) ||
      (/\/clt(\/|$)/.test(files.folder) && named(files, /^(params_)?layer_.*\.safetensors$/)) ||
      (await setKind(files))?.model_kind === 'cross_layer_transcoder',
  },
  {
    what: 'A crosscoder',
    is: (files) => files.has('cc_weights.pt') || named(files, /^params_layer_\d+\.safetensors$/),
  },
  { what: 'A temporal dictionary', is: (files) => files.has('latest_ckpt.safetensors') && files.has('conf.yaml') },
  {
    what: 'Llama Scope R1 Distill (its files do not say the factor of its inputs)',
    is: (files) => files.has('config.json') && files.has('sae_weights.safetensors') && !files.has('cfg.json'),
  },
  {
    what: 'A set of transcoders that lie on the Hub (config.yaml names them; download one, and name its file)',
    is: async (files) => !named(files, /\.safetensors$/) && Array.isArray((await setKind(files))?.transcoders),
  },
];

/** Recognises kinds of dictionaries that are not run, and refuses them by name: `source_unsupported`. */
export const refusedKinds: DictionaryLoader = {
  format: 'none',
  recognises: async (files) => (await whatIs(files)) !== null,
  modelName: refuse,
  load: refuse,
};

async function refuse(files: SourceFiles): Promise<never> {
  throw sourceUnsupported(`${files.path}: ${await whatIs(files)}`);
}

async function whatIs(files: SourceFiles): Promise<string | null> {
  for (const { what, is } of kinds) if (await is(files)) return what;
  return null;
}

function named(files: SourceFiles, pattern: RegExp): boolean {
  return files.file === null ? files.names.some((name) => pattern.test(name)) : pattern.test(files.file);
}

/** A configuration that is not of a set of transcoders is none of ours to check. */
async function setKind(files: SourceFiles): Promise<z.infer<typeof setSchema> | null> {
  return readOptionalYaml(files.at('config.yaml'), setSchema).catch(() => null);
}
