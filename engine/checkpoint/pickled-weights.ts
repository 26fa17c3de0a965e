import { TillerError } from '../core/index.ts';

/** Whether a file name is one that PyTorch's pickled weights go by: pytorch_model.bin, its shards, .pt, .pth, .ckpt. */
export function isPickledWeights(name: string): boolean {
  return /^pytorch_model(-\d+-of-\d+)?\.bin$|\.(pt|pth|ckpt)$/i.test(name);
}

/** Why pickled weights are refused, and the one line that converts them. `where` holds them: a folder, or `owner/name` of the Hub. */
export function refusePickledWeights(where: string, file: string): TillerError {
  const [name, revision] = where.split('@');
  const from = revision === undefined || where.startsWith('/') ? `'${where}'` : `'${name}', revision='${revision}'`;
  return new TillerError(
    'checkpoint_unsupported',
    `${where} holds its weights as ${file}, a pickle: reading one runs whatever code is in it, so it is not read. ` +
      'Convert it with transformers, which reads tensors only, and serve the new folder: ' +
      `python3 -c "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; ` +
      `M.from_pretrained(${from}).save_pretrained('converted'); T.from_pretrained(${from}).save_pretrained('converted')"`,
  );
}
