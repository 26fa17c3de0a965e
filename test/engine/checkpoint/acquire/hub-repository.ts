import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Answer, sendFile } from './hub-server.ts';

export interface HubRepository {
  readonly repository: string;
  /** Revision → commit and what is in it. */
  readonly revisions: Readonly<Record<string, HubRevision>>;
}

export interface HubRevision {
  readonly commit: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

/** Answers as the Hub does for one repository: the list of a revision with digests, and the files of its commits. */
export function hubRepository({ repository, revisions }: HubRepository): Answer {
  return (request, response) => {
    const address = decodeURIComponent((request.url ?? '').split('?')[0] ?? '');
    const api = `/api/models/${repository}/revision/`;
    if (address.startsWith(api)) {
      const revision = revisions[address.slice(api.length)];
      if (!revision) return refuse(response, 404, 'RevisionNotFound');
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(listing(revision)));
      return;
    }
    const [, commit = '', name = ''] = new RegExp(`^/${repository}/resolve/([^/]+)/(.+)$`).exec(address) ?? [];
    const revision = Object.values(revisions).find((candidate) => candidate.commit === commit);
    const file = revision?.files[name];
    if (!file) return refuse(response, 404, revision ? 'EntryNotFound' : 'RepoNotFound');
    sendFile(request, response, file, { etag: `"${sha('sha256', file)}"` });
  };
}

export function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'x-error-code': code }).end();
}

export function isFileRequest(request: IncomingMessage): boolean {
  return request.url?.includes('/resolve/') ?? false;
}

function listing({ commit, files }: HubRevision) {
  const siblings = Object.entries(files).map(([rfilename, content]) => {
    const blobId = sha('sha1', Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]));
    // Weights lie in large file storage, as on the Hub; the rest is in git.
    const lfs = /\.(safetensors|gguf|bin)$/.test(rfilename)
      ? { sha256: sha('sha256', content), size: content.length, pointerSize: 134 }
      : undefined;
    return { rfilename, size: content.length, blobId, lfs };
  });
  return { id: 'x', sha: commit, gated: false, siblings };
}

function sha(algorithm: string, bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
