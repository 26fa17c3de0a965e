import type { spawn } from 'node:child_process';
import type { ProgressListener } from '../../core/index.ts';
import type { CatalogModel } from './catalog.ts';
import type { FreeBytes } from './disk-space.ts';
import type { NamedFile } from './model-cache.ts';
import type { OpenFile } from './received-file.ts';

export interface AcquiredModel {
  /**
   * The catalog's name; for a repository of the Hub its name without the owner
   * (`pythia-70m@step143000`), for a file of one that was asked for the file's; for a local path that is no file of the catalog, its base name without `.gguf` or `.safetensors`.
   */
  readonly name: string;
  /** Absolute path of the file or folder. */
  readonly path: string;
  readonly source: 'local' | 'cache' | 'hub' | 'python_package';
}

export interface AcquireOptions {
  /** Root of the cache; a model's file lies in `<cacheDirectory>/models/<name>/<file>`. */
  readonly cacheDirectory: string;
  /** Touch no network: a local path or the cache, else `model_unavailable`. */
  readonly offline?: boolean;
  /** Hash a cached file again instead of trusting the mark that was left when it was last hashed. */
  readonly verify?: boolean;
  readonly hub?: {
    /** Base address; null for huggingface.co. */
    readonly endpoint?: string | null;
    /** Sent as a bearer token to the endpoint, and to nobody it redirects to. */
    readonly token?: string | null;
  };
  /**
   * Environment of the Python process, so that its temporary files can be put inside the cache folder (one file system,
   * nothing left behind). Without it Python inherits this process's environment and uses its own temporary folder.
   */
  readonly childEnvironment?: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: ProgressListener;
  /** One line a time for a person: which source failed and why, what is tried next. */
  readonly onNotice?: (line: string) => void;
  readonly signal?: AbortSignal;

  /** What follows is replaced by tests only. */
  readonly catalog?: readonly CatalogModel[];
  readonly fetch?: typeof fetch;
  readonly spawn?: typeof spawn;
  /** Commands that start Python, tried in order until one exists and has pip. */
  readonly pythonCommands?: readonly (readonly string[])[];
  readonly freeBytes?: FreeBytes;
  readonly openFile?: OpenFile;
  readonly timeouts?: Partial<Timeouts>;
}

/** Milliseconds. */
export interface Timeouts {
  /** Until the Hub has answered with headers: connecting, TLS and redirects together. */
  readonly answer: number;
  /** Longest silence within a download. */
  readonly idle: number;
  /** Age at which an untouched lock is taken to be abandoned; 2,000 at least. */
  readonly staleLock: number;
  /** Between two looks at a lock that another process holds, or at a growing file. */
  readonly poll: number;
}

export const defaultTimeouts: Timeouts = { answer: 5_000, idle: 20_000, staleLock: 10_000, poll: 300 };

/** What the step that fetches one file from one source needs. */
export interface FetchContext extends AcquireOptions {
  /** The request's own signal and the loss of the lock together. */
  readonly signal: AbortSignal;
  readonly expected: NamedFile;
  /** Where an incomplete file grows; the same path in every run, so that it can be resumed. */
  readonly partialPath: string;
  /** Folder of the model in the cache. */
  readonly folder: string;
}
