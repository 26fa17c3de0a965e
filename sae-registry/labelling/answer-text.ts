/** A model's answer without its thoughts and without the fences around code. */
export function answerOf(answer: string): string {
  return answer
    .replace(/<think(ing)?>[\s\S]*?<\/think(ing)?>/gi, '')
    .replace(/^[\s\S]*<\/think(ing)?>/i, '')
    .replace(/```\w*\n?/g, '')
    .trim();
}

/** Every JSON object in a text, in order; those inside others are left out. */
export function jsonObjects(text: string): unknown[] {
  return jsonValues(text, '{', '}');
}

/** Every JSON list in a text, in order; those inside others are left out. */
export function jsonLists(text: string): unknown[] {
  return jsonValues(text, '[', ']');
}

function jsonValues(text: string, open: string, close: string): unknown[] {
  const found: unknown[] = [];
  for (let start = text.indexOf(open); start >= 0; start = text.indexOf(open, start + 1)) {
    // An answer is short, so that trying every end is cheap; the nearest that parses is the value.
    for (let end = text.indexOf(close, start); end >= 0; end = text.indexOf(close, end + 1)) {
      const value = parsed(text.slice(start, end + 1));
      if (value === undefined) continue;
      found.push(value);
      start = end;
      break;
    }
  }
  return found;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
