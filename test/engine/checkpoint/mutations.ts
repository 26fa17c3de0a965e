import fc from 'fast-check';

/** Numbers that parsers trip over, as 64-bit words. */
const words = [
  0n,
  1n,
  2n,
  31n,
  32n,
  255n,
  256n,
  65_535n,
  2n ** 20n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
].concat([2n ** 40n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 62n, 2n ** 63n, 2n ** 64n - 1n]);

type ByteEdit = { readonly at: number } & (
  | { readonly kind: 'byte' | 'flip' | 'insert'; readonly value: number }
  | { readonly kind: 'word32' | 'word64'; readonly value: number }
  | { readonly kind: 'remove' | 'repeat'; readonly value: number }
  | { readonly kind: 'cut' | 'extend'; readonly value: number }
);

const byteEdit: fc.Arbitrary<ByteEdit> = fc.record({
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('byte' as const, 'flip' as const, 'word32' as const, 'word64' as const) },
    { weight: 2, arbitrary: fc.constantFrom('insert' as const, 'remove' as const, 'repeat' as const) },
    { weight: 1, arbitrary: fc.constantFrom('cut' as const, 'extend' as const) },
  ),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  value: fc.nat(255),
});

/** Some edits of a file's bytes, most of them in its first `header` bytes. */
export function mutatedBytes(original: Buffer, header: number): fc.Arbitrary<Buffer> {
  const edits = fc.array(fc.tuple(byteEdit, fc.nat(9)), { minLength: 1, maxLength: 4 });
  return edits.map((list) =>
    list.reduce<Buffer>((bytes, [edit, where]) => {
      // Nine of ten edits hit the header, where parsing happens.
      const range = where === 0 ? bytes.length : Math.min(header, bytes.length);
      return applyByteEdit(bytes, { ...edit, at: Math.floor(edit.at * range) });
    }, Buffer.from(original)),
  );
}

function applyByteEdit(bytes: Buffer, { kind, at, value }: ByteEdit): Buffer {
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  const length = 1 + (value % 64);
  const word = words[value % words.length] ?? 0n;
  switch (kind) {
    case 'byte':
      return Buffer.concat([before, Buffer.of(value), after.subarray(1)]);
    case 'flip':
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (value % 8))), after.subarray(1)]);
    case 'word32':
      return Buffer.concat([before, wordBytes(word).subarray(0, 4), after.subarray(4)]);
    case 'word64':
      return Buffer.concat([before, wordBytes(word), after.subarray(8)]);
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, value), after]);
    case 'remove':
      return Buffer.concat([before, after.subarray(length)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 'cut':
      return Buffer.from(before);
    case 'extend':
      return Buffer.concat([bytes, Buffer.alloc(length, value)]);
  }
}

function wordBytes(word: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(word);
  return bytes;
}

/** JSON texts of values that a field does not expect: wrong types, absurd numbers, long and deep ones. */
const strange = [
  ...[
    'null',
    'true',
    'false',
    '""',
    '[]',
    '{}',
    '[[]]',
    '{"a":{"a":{}}}',
    '[null]',
    '[{}]',
    '["x"]',
    '"x"',
    '"\\u0000"',
  ],
  ...['0', '-0', '1', '-1', '2', '3', '7', '0.5', '-0.5', '1e-30', '1e30', '1e308', '1e999', '-1e999', '255', '4096'],
  ...['1048576', '2147483647', '4294967296', '9007199254740991', '9007199254740993', '18446744073709551616'],
  ...['"linear"', '"llama3"', '"yarn"', '"relu"', '"quick_gelu"', '"gelu_new"', '"sliding_attention"', '"__proto__"'],
  ...['"gpt2"', '"gpt_neox"', '"gemma2"', '"gemma3"', '"gemma3_text"', '"qwen2"', '"qwen3"', '"mistral"', '"llama"'],
  ...['"F64"', '"BF16"', '"F16"', '[0,0]', '[1,2]', '[-1]', '[8,16]', '[4294967296,4294967296]'],
  `"${'x'.repeat(3000)}"`,
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
  `[${'0,'.repeat(2000)}0]`,
];

const keys = [
  ...['model_type', 'rope_scaling', 'rope_parameters', 'layer_types', 'sliding_window', 'head_dim', 'eos_token_id'],
  ...['num_key_value_heads', 'text_config', 'quantization_config', 'use_sliding_window', '__proto__', 'constructor'],
  ...['toString', '__metadata__', 'dtype', 'shape', 'data_offsets', 'attn_logit_softcapping', 'unknown_field', ''],
];

/** Some edits of a JSON value: replaced, removed, renamed, doubled and added members, anywhere in it. As text, which need not be JSON. */
export function mutatedJson(original: unknown): fc.Arbitrary<string> {
  const edit = fc.record({
    kind: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'rename', 'twice', 'add', 'swap'),
    where: fc.nat(10_000),
    value: fc.constantFrom(...strange),
    key: fc.constantFrom(...keys),
  });
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
    edits.reduce((text, { kind, where, value, key }) => {
      const members = membersOf(text);
      const member = members[where % Math.max(1, members.length)];
      if (!member) return value;
      const { start, valueStart, end } = member;
      const other = members[(where * 7 + 1) % members.length] ?? member;
      const replaced = (from: number, to: number, by: string) => text.slice(0, from) + by + text.slice(to);
      switch (kind) {
        case 'replace':
          return replaced(valueStart, end, value);
        case 'remove':
          return replaced(start, text[end] === ',' ? end + 1 : end, '').replaceAll(',}', '}');
        case 'rename':
          return replaced(start, valueStart, `${JSON.stringify(key)}:`);
        case 'twice':
          return replaced(end, end, `,${text.slice(start, end)}`);
        case 'add':
          return replaced(end, end, `,${JSON.stringify(key)}:${value}`);
        default:
          return replaced(valueStart, end, text.slice(other.valueStart, other.end));
      }
    }, JSON.stringify(original)),
  );
}

interface Member {
  /** Where its key begins, its value, and where that ends. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** Every `"key":value` of a JSON text, at any depth; none of a text that is no JSON any more. */
function membersOf(text: string): Member[] {
  const members: Member[] = [];
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*":/g)) {
    const valueStart = match.index + match[0].length;
    members.push({ start: match.index, valueStart, end: valueEnd(text, valueStart) });
  }
  return members;
}

function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '"') {
      at++;
      while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    } else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth < 0) return at;
    if (depth === 0 && (text[at + 1] === ',' || text[at + 1] === '}' || text[at + 1] === ']')) return at + 1;
  }
  return text.length;
}
