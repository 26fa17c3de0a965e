import { z } from 'zod';

/** Issues that a message names; the rest are counted. */
const mostNamed = 10;

/** What a schema found wrong, in words: the first ten issues, for a hostile file has as many as it likes. */
export function schemaIssues({ issues }: z.ZodError): string {
  const more = issues.length - mostNamed;
  return z.prettifyError(new z.ZodError(issues.slice(0, mostNamed))) + (more > 0 ? `\nand ${more} more` : '');
}
