let table: ReadonlyMap<string, number> | undefined;

/**
 * GPT-2's reversible map between bytes and printable characters (encoder.py, `bytes_to_unicode`), from the character's side: printable
 * Latin-1 stands for itself, the other 68 bytes follow from U+0100 on.
 */
export function byteOfCharacter(): ReadonlyMap<string, number> {
  if (table) return table;
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    map.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  table = map;
  return map;
}
