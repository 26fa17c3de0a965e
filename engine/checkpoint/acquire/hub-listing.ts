import { z } from 'zod';
import { TillerError } from '../../core/index.ts';
import { rootMessage } from './describe.ts';
import { explainHubAnswer, hubBase, hubHeaders } from './hub-answer.ts';
import type { NamedFile } from './model-cache.ts';
import { type AcquireOptions, defaultTimeouts } from './options.ts';
import type { RepositoryName } from './repository-name.ts';

/** What a repository holds at one commit. */
export interface RepositoryListing {
  /** The commit that the revision means now. */
  readonly commit: string;
  /** Its files, those whose names are of the form that was asked for. */
  readonly files: readonly NamedFile[];
}

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const siblingSchema = z.object({
  rfilename: z.string(),
  size: z.int().nonnegative(),
  blobId: hex(40),
  lfs: z.object({ sha256: hex(64), size: z.int().nonnegative() }).nullish(),
});
const listingSchema = z.object({ sha: hex(40), siblings: z.array(siblingSchema).max(100_000) });

/** Names of files at the top of a repository. */
const topName = /^\w[\w.-]*$/;
/** Paths of files in its folders too. No part begins with a dot: none leads out of a folder that it is kept in. */
export const anyName = /^\w[\w.@+=-]*(?:\/\w[\w.@+=-]*)*$/;

/** Bytes of an answer that are read at most; the largest repositories list some thousand files of 300 bytes each. */
const maxAnswerBytes = 32 * 2 ** 20;

/**
 * Asks the Hub what a repository holds at a revision (`/api/models/<repository>/revision/<revision>?blobs=true`: the commit, and size
 * and digest of every file); files whose names are of another form are left out. Throws `model_unavailable` with what the Hub said.
 */
export async function fetchListing(
  { repository, revision }: RepositoryName,
  options: Pick<AcquireOptions, 'hub' | 'fetch' | 'timeouts'> & { readonly signal: AbortSignal },
  names: RegExp = topName,
): Promise<RepositoryListing> {
  const { hub, signal } = options;
  const url = `${hubBase(hub)}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const patience = options.timeouts?.answer ?? defaultTimeouts.answer;
  const limit = AbortSignal.timeout(patience);
  const text = await (options.fetch ?? fetch)(url, {
    headers: hubHeaders(hub),
    signal: AbortSignal.any([signal, limit]),
  })
    .then((response) => readAnswer(response, repository, options))
    .catch((error: unknown) => {
      if (error instanceof TillerError) throw error;
      if (signal.aborted) throw signal.reason;
      const why = limit.aborted ? `no answer within ${patience / 1000} s` : rootMessage(error);
      throw unavailable(`Hugging Face Hub: not reachable: ${why}`, error);
    });
  const listing = listingSchema.safeParse(parseJson(text));
  if (!listing.success) {
    throw unavailable(`${new URL(url).host} lists ${repository} in a form that is not understood`, listing.error);
  }
  const { sha, siblings } = listing.data;
  const files = siblings
    .filter(({ rfilename }) => names.test(rfilename))
    .map(
      ({ rfilename: name, size, blobId, lfs }): NamedFile =>
        lfs ? { name, bytes: lfs.size, sha256: lfs.sha256 } : { name, bytes: size, gitBlob: blobId },
    );
  return { commit: sha, files };
}

async function readAnswer(
  response: Response,
  repository: string,
  { hub }: Pick<AcquireOptions, 'hub'>,
): Promise<string> {
  if (response.status !== 200) {
    await response.body?.cancel().catch(() => undefined);
    throw unavailable(`${new URL(hubBase(hub)).host} answered ${explainHubAnswer(response, repository, hub)}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw unavailable(`the list of ${repository} exceeds ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused by the schema
  }
}

function unavailable(message: string, cause?: unknown): TillerError {
  return new TillerError('model_unavailable', message, { param: 'model', cause });
}
