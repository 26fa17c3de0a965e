import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { locateJsonError } from '../../../routes/http/json-error.ts';

describe('locateJsonError', () => {
  it.each([
    ['', 0],
    ['{', 1],
    ['{"a": }', 6],
    ['{"a" 1}', 5],
    ['{"a": 1,}', 8],
    ['{a: 1}', 1],
    ["{'a': 1}", 1],
    ['[1, 2', 5],
    ['[1 2]', 3],
    ['[01]', 2],
    ['[1.]', 2],
    ['{"a": tru}', 6],
    ['{"a": NaN}', 6],
    ['"a\nb"', 2],
    ['"a\\x"', 2],
    ['"abc', 4],
    ['{} {}', 3],
    ['[1, 2]]', 6],
    ['{"a": [1, {"b": ]}]}', 16],
  ])('%s: %i', (text, offset) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(locateJsonError(text).offset).toBe(offset);
  });

  it('counts lines and columns from 1', () => {
    expect(locateJsonError('{\n  "a": 1,\n  b: 2\n}')).toEqual({ offset: 14, line: 3, column: 3 });
  });

  it('goes exactly as far as the text is JSON: cut anywhere, it is the end', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, at) => {
        const cut = text.slice(0, at % text.length);
        try {
          JSON.parse(cut);
        } catch {
          const { offset } = locateJsonError(cut);
          // A number or literal that is cut in the middle is bad from its start.
          expect(/^(?:-?[\d.eE+-]*|[a-z]*|\\u?[0-9a-fA-F]{0,3})$/.test(cut.slice(offset))).toBe(true);
        }
      }),
    );
  });

  it('takes strings of megabytes', () => {
    expect(locateJsonError(`{"a": "${'x'.repeat(5_000_000)}", }`).offset).toBe(5_000_010);
  });
});
