/** What the Hub is asked with. */
export interface HubAccess {
  /** Base address; null for huggingface.co. */
  readonly endpoint?: string | null;
  readonly token?: string | null;
}

/** The Hub's address without a slash at its end. */
export function hubBase(access: HubAccess | undefined): string {
  return (access?.endpoint ?? 'https://huggingface.co').replace(/\/+$/, '');
}

/** Headers of every request to the Hub. */
export function hubHeaders(access: HubAccess | undefined): Record<string, string> {
  const headers = { 'accept-encoding': 'identity', 'user-agent': 'tiller' };
  return access?.token ? { ...headers, authorization: `Bearer ${access.token}` } : headers;
}

/**
 * An answer other than the thing asked for, in a person's words: what the Hub said, and the way out. A repository that is gated, private
 * or does not exist looks the same to someone without access, so all are named; its page is where a licence is accepted.
 */
export function explainHubAnswer(response: Response, repository: string, access: HubAccess | undefined): string {
  const status = `${response.status} ${response.statusText}`.trim();
  const code = response.headers.get('x-error-code');
  const page = `${hubBase(access)}/${repository}`;
  if (response.status === 404) {
    if (code === 'RevisionNotFound') return `${status}: ${repository} has no such revision`;
    if (code === 'EntryNotFound') return `${status}: ${repository} has no such file`;
    return `${status}: no such repository, revision or file`;
  }
  if (response.status === 429) return `${status}: too many requests; try again later, or set HF_TOKEN`;
  if (response.status !== 401 && response.status !== 403) return status;
  const what =
    code === 'GatedRepo' ? 'the repository is gated' : 'the repository is gated or private, or does not exist';
  const way = access?.token
    ? `HF_TOKEN does not give access. Accept its licence at ${page} with the account of that token, and see that the token may read gated repositories`
    : `accept its licence at ${page} and set HF_TOKEN to a token of the account that did`;
  return `${status}: ${what}; ${way}`;
}
