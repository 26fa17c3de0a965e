import { uint32, uint64 } from '../weights/little-endian.ts';
import type { ModelShape } from './shapes.ts';

/** GGUF's numbers of its value types. */
const types = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const control = 3;
const normal = 1;

/** The key-value section of a GGUF file: the architecture's own keys, and a byte-level tokenizer that begins and ends nothing. */
export function keyValues(
  { architecture, integers, floats }: ModelShape['gguf'],
  fileType: number,
  tokens: readonly string[],
): { readonly keyCount: number; readonly keyValues: Buffer } {
  const own = (key: string) => `${architecture}.${key}`;
  const entries = [
    entry('general.architecture', types.string, string(architecture)),
    entry('general.file_type', types.uint32, uint32(fileType)),
    ...Object.entries(integers).map(([key, value]) => entry(own(key), types.uint32, uint32(value))),
    ...Object.entries(floats).map(([key, value]) => entry(own(key), types.float32, float32(value))),
    entry('tokenizer.ggml.model', types.string, string('gpt2')),
    entry('tokenizer.ggml.pre', types.string, string('gpt-2')),
    entry('tokenizer.ggml.tokens', types.array, array(types.string, tokens.map(string))),
    entry(
      'tokenizer.ggml.token_type',
      types.array,
      array(
        types.int32,
        tokens.map((_, id) => uint32(id === 0 ? control : normal)),
      ),
    ),
    entry('tokenizer.ggml.eos_token_id', types.uint32, uint32(0)),
    entry('tokenizer.ggml.add_bos_token', types.bool, Buffer.from([0])),
  ];
  return { keyCount: entries.length, keyValues: Buffer.concat(entries) };
}

function entry(key: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([string(key), uint32(type), value]);
}

function array(type: number, values: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(type), uint64(values.length), ...values]);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
