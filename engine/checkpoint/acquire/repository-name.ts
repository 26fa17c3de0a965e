/** A repository of the Hugging Face Hub, and what of it is meant. */
export interface RepositoryName {
  /** `owner/name` */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** A GGUF file of it, or the part of its name that says how it was quantised; null for what the repository holds. */
  readonly file: string | null;
}

const defaultRevision = 'main';
const pattern = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@(\w[\w./-]*))?(?::(\w[\w.-]*))?$/;

/**
 * Reads `owner/name`, `owner/name@revision` and `owner/name:file`: EleutherAI/pythia-70m@step143000, someone/model-GGUF:Q4_K_M.
 * Null for what is no such name; a path to a file of weights is none.
 */
export function parseRepositoryName(text: string): RepositoryName | null {
  const match = pattern.exec(text);
  if (!match) return null;
  const [, repository = '', revision = defaultRevision, file = null] = match;
  if (/\.(gguf|safetensors|bin|json)$/i.test(repository)) return null;
  if (revision.split('/').some((part) => part === '' || part.startsWith('.'))) return null;
  return { repository, revision, file };
}

/** The name as a person writes it; the usual revision is left out. */
export function repositoryLabel({ repository, revision, file }: RepositoryName): string {
  return `${repository}${revision === defaultRevision ? '' : `@${revision}`}${file === null ? '' : `:${file}`}`;
}

/**
 * The name that the model is served under, fit for a path of an address: the repository's without its owner, with the revision unless
 * it is the usual one; of a file that was asked for (`checkpoint` is its whole name) the file's.
 */
export function modelNameOf(name: RepositoryName, checkpoint: string | null): string {
  if (name.file !== null && checkpoint !== null) return checkpoint.replace(/\.gguf$/i, '');
  const label = repositoryLabel({ ...name, file: null });
  return label.slice(name.repository.indexOf('/') + 1).replaceAll('/', '-');
}

/** The folder below `models` in the cache: one for each revision and choice, so that none disturbs another. */
export function repositoryFolderName({ repository, revision, file }: RepositoryName): readonly [string, string] {
  const choice = file === null ? '' : `--${file.toLowerCase()}`;
  return [repository.replace('/', '--'), `${encodeURIComponent(revision)}${choice}`];
}
