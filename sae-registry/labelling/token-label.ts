import type { Evidence } from './passage.ts';

/** Method and author of labels made without a model. */
export const tokenLabelMethod = 'top-tokens';
export const tokenLabelAuthor = 'tiller';

const tokensNamed = 5;

/**
 * A label without a model: the tokens on which the feature fires most often, else those on which it fires strongest, else those that
 * it makes likelier. Null where none of them is known.
 */
export function tokenLabel(evidence: Evidence): string | null {
  const fires = distinct(evidence.topTokens.length > 0 ? evidence.topTokens : peakTokens(evidence));
  if (fires.length > 0) return `fires on ${quoted(fires)}`;
  const raises = distinct(evidence.topLogits);
  return raises.length > 0 ? `makes likelier ${quoted(raises)}` : null;
}

/** The token at the peak of each passage, strongest first; none where only the peaks' values are known. */
export function peakTokens({ passages }: Pick<Evidence, 'passages'>): string[] {
  return passages.flatMap(({ tokens, values }) => {
    const token = values === null ? undefined : tokens[values.indexOf(Math.max(...values))];
    return token === undefined ? [] : [token];
  });
}

/** Without spaces around them, and those that differ only in case once. */
function distinct(tokens: readonly string[]): string[] {
  const seen = new Map<string, string>();
  for (const token of tokens) {
    const shown = token.trim() === '' ? token : token.trim();
    if (shown !== '' && !seen.has(shown.toLowerCase())) seen.set(shown.toLowerCase(), shown);
  }
  return [...seen.values()].slice(0, tokensNamed);
}

function quoted(tokens: readonly string[]): string {
  return tokens.map((token) => (token.trim() === '' ? JSON.stringify(token) : `'${token}'`)).join(', ');
}
