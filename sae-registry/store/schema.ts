/**
 * What the registry keeps between runs, in one SQLite file. Migrations under `migrations/` are made of this file by
 * `npx drizzle-kit@0.31 generate` and committed; what SQLite has and drizzle has no words for (full text, triggers) stands in
 * migrations of its own.
 *
 * Times are Unix milliseconds. A `blob` of numbers is little-endian float32. A feature is (source, feature): its source's row and
 * its index in the dictionary; features without anything to say have no rows.
 */
import { sql } from 'drizzle-orm';
import {
  blob,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/** Judgements of a label against the truth. */
export interface ScoreCounts {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
  /** Asked, but the answer was missing or malformed. */
  readonly unjudged: number;
  /** Passages of the feature that whoever made the label may have seen. */
  readonly seen: number;
}

const addedAt = () => integer('added_at').notNull().default(sql`(unixepoch() * 1000)`);

/** Where something came from: a file, an import, a request. Never changed. */
export const artifacts = sqliteTable(
  'artifacts',
  {
    id: integer('id').primaryKey(),
    kind: text('kind', { enum: ['dictionary', 'labels', 'features', 'vector', 'profile', 'run'] }).notNull(),
    /** A path, a Hub id with its revision, an address, a command with its settings. */
    origin: text('origin').notNull(),
    /** sha256 of its bytes; null of what is no file. */
    hash: text('hash'),
    bytes: integer('bytes'),
    addedAt: addedAt(),
  },
  (table) => [index('artifacts_by_hash').on(table.hash)],
);

/** Dictionaries that are known, loaded or not. */
export const sources = sqliteTable(
  'sources',
  {
    id: integer('id').primaryKey(),
    model: text('model').notNull(),
    /** The second part of the id `model/name`. */
    name: text('name').notNull(),
    hookPoint: text('hook_point').notNull(),
    /** Where it writes, of a transcoder; null where that is where it reads. */
    hookPointOut: text('hook_point_out'),
    /** Block of the hook point; null of the embedding. */
    layer: integer('layer'),
    kind: text('kind').notNull(),
    activation: text('activation').notNull(),
    features: integer('features').notNull(),
    dIn: integer('d_in').notNull(),
    dOut: integer('d_out').notNull(),
    /** sha256 of the dictionary's files: what pins it. */
    hash: text('hash').notNull(),
    /** Where its files lie now; null of a source whose labels are known but not its weights. */
    path: text('path'),
    artifact: integer('artifact').references(() => artifacts.id),
    addedAt: addedAt(),
  },
  (table) => [unique('sources_by_name').on(table.model, table.name)],
);

/** Dictionaries that are loaded with their model at every start, beside the bundled ones. */
export const addedSources = sqliteTable(
  'added_sources',
  {
    id: integer('id').primaryKey(),
    model: text('model').notNull(),
    name: text('name').notNull(),
    /** Folder or file, absolute. */
    path: text('path').notNull(),
    /** What was asked for: a path, a Hub id with its revision, `release/id` of the catalog. */
    origin: text('origin').notNull(),
    addedAt: addedAt(),
  },
  (table) => [unique('added_sources_by_name').on(table.model, table.name)],
);

const ofSource = () =>
  integer('source')
    .notNull()
    .references(() => sources.id, { onDelete: 'cascade' });

/** Several for each feature; a description, not a measurement. */
export const labels = sqliteTable(
  'labels',
  {
    id: integer('id').primaryKey(),
    source: ofSource(),
    feature: integer('feature').notNull(),
    text: text('text').notNull(),
    method: text('method').notNull(),
    author: text('author').notNull(),
    /** The higher the clearer, as its author counts it. */
    clarity: real('clarity'),
    artifact: integer('artifact').references(() => artifacts.id),
    addedAt: addedAt(),
  },
  (table) => [
    unique('labels_once').on(table.source, table.feature, table.method, table.author, table.text),
    index('labels_by_artifact').on(table.artifact),
  ],
);

/** How well a label tells where its feature fires. */
export const labelScores = sqliteTable(
  'label_scores',
  {
    label: integer('label')
      .notNull()
      .references(() => labels.id, { onDelete: 'cascade' }),
    /** `detection`, `fuzzing`, or what an import calls it. */
    method: text('method').notNull(),
    author: text('author').notNull(),
    /** Of `detection` and `fuzzing` the balanced accuracy: 0.5 is guessing. */
    score: real('score').notNull(),
    /** Of how many judgements. */
    judgements: integer('judgements'),
    addedAt: addedAt(),
    f1: real('f1'),
    /** How the judgements fell out, and how many there should have been more; null of an import that does not say. */
    counts: text('counts', { mode: 'json' }).$type<ScoreCounts>(),
    artifact: integer('artifact').references(() => artifacts.id),
  },
  (table) => [primaryKey({ columns: [table.label, table.method, table.author] })],
);

/** Figures of features on a text. One row for each feature: a newer run replaces it, and its version says which. */
export const statistics = sqliteTable(
  'statistics',
  {
    source: ofSource(),
    feature: integer('feature').notNull(),
    /** Of the run or the file: the same for all features of a source. */
    version: text('version').notNull(),
    /** Share of tokens on which it is active. */
    density: real('density').notNull(),
    max: real('max').notNull(),
    /** 99.9th percentile of its non-zero activations: the unit `max_activation`. */
    p999: real('p999').notNull(),
    /** Of non-zero activations. */
    mean: real('mean').notNull(),
    /** Counts of non-zero activations in equal bins from 0 to max. */
    histogram: text('histogram', { mode: 'json' }).$type<readonly number[]>().notNull(),
    topLogits: text('top_logits', { mode: 'json' }).$type<readonly string[]>().notNull(),
    bottomLogits: text('bottom_logits', { mode: 'json' }).$type<readonly string[]>().notNull(),
    /** On which it fires most often. */
    topTokens: text('top_tokens', { mode: 'json' }).$type<readonly string[]>().notNull(),
    artifact: integer('artifact').references(() => artifacts.id),
  },
  (table) => [primaryKey({ columns: [table.source, table.feature] })],
);

/** Passages on which a feature fires, strongest first. */
export const examples = sqliteTable(
  'examples',
  {
    source: ofSource(),
    feature: integer('feature').notNull(),
    /** 0 fires strongest. */
    rank: integer('rank').notNull(),
    tokens: text('tokens', { mode: 'json' }).$type<readonly string[]>().notNull(),
    /** Activation on each token, float32; null where only the peak is known. */
    values: blob('activations', { mode: 'buffer' }),
    /** The strongest of them. */
    peak: real('peak').notNull(),
    artifact: integer('artifact').references(() => artifacts.id),
  },
  (table) => [primaryKey({ columns: [table.source, table.feature, table.rank] })],
);

/** A label's text as a direction, for search by meaning. */
export const labelEmbeddings = sqliteTable('label_embeddings', {
  label: integer('label')
    .primaryKey()
    .references(() => labels.id, { onDelete: 'cascade' }),
  /** Which embedder, by the hash of its files: others are made again. */
  embedder: text('embedder').notNull(),
  /** Unit length, times 127, int8. */
  values: blob('embedding', { mode: 'buffer' }).notNull(),
});

/** Saved dense directions. A version never changes; a number that was given is not given again. */
export const vectors = sqliteTable(
  'vectors',
  {
    id: integer('id').primaryKey(),
    model: text('model').notNull(),
    name: text('name').notNull(),
    version: integer('version').notNull(),
    description: text('description').notNull().default(''),
    /** How it was made: `uploaded`, `mean_difference`, `pca`, … */
    method: text('method').notNull(),
    artifact: integer('artifact').references(() => artifacts.id),
    addedAt: addedAt(),
    /** When it was deleted: only its number stays. */
    deletedAt: integer('deleted_at'),
  },
  (table) => [uniqueIndex('vectors_by_name').on(table.model, table.name, table.version)],
);

/** The directions of a vector, one for each hook point. */
export const vectorDirections = sqliteTable(
  'vector_directions',
  {
    vector: integer('vector')
      .notNull()
      .references(() => vectors.id, { onDelete: 'cascade' }),
    hookPoint: text('hook_point').notNull(),
    /** float32, in the stream's own units. */
    values: blob('direction', { mode: 'buffer' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.vector, table.hookPoint] })],
);

/** Saved steerings. A version never changes; a number that was given is not given again. */
export const profiles = sqliteTable(
  'profiles',
  {
    id: integer('id').primaryKey(),
    model: text('model').notNull(),
    name: text('name').notNull(),
    version: integer('version').notNull(),
    description: text('description').notNull().default(''),
    /** As it was asked for: the wire form of `steering`. */
    steering: text('steering', { mode: 'json' }).notNull(),
    /** The same with every id looked up and every number raw: what runs, whatever becomes of statistics and vectors. */
    frozen: text('frozen', { mode: 'json' }).notNull(),
    /** Of the dictionaries and statistics that it was frozen with. */
    fingerprint: text('fingerprint', { mode: 'json' }).notNull(),
    addedAt: addedAt(),
    /** When it was deleted: only its number stays. */
    deletedAt: integer('deleted_at'),
    /** The file that it was imported from. */
    artifact: integer('artifact').references(() => artifacts.id),
  },
  (table) => [uniqueIndex('profiles_by_name').on(table.model, table.name, table.version)],
);

/** The directions that a frozen profile needs, in the order in which its edits name them. */
export const profileDirections = sqliteTable(
  'profile_directions',
  {
    profile: integer('profile')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    position: integer('position').notNull(),
    values: blob('direction', { mode: 'buffer' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.profile, table.position] })],
);

/** Which saved vectors a profile was made with: those are kept as long as it is. */
export const profileVectors = sqliteTable(
  'profile_vectors',
  {
    profile: integer('profile')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    vector: integer('vector')
      .notNull()
      .references(() => vectors.id),
  },
  (table) => [
    primaryKey({ columns: [table.profile, table.vector] }),
    index('profile_vectors_by_vector').on(table.vector),
  ],
);

/** Which profile a running service has as a model's default: it is kept as long. */
export const profileHolds = sqliteTable(
  'profile_holds',
  {
    /** Which service, in whatever process. */
    holder: text('holder').notNull(),
    model: text('model').notNull(),
    profile: integer('profile')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    process: integer('process').notNull(),
    /** The machine that the process runs on. */
    host: text('host').notNull(),
  },
  (table) => [primaryKey({ columns: [table.holder, table.model] })],
);

/** Long work that goes on where it was cut off: imports, statistics, labels, embeddings. */
export const jobs = sqliteTable(
  'jobs',
  {
    id: integer('id').primaryKey(),
    kind: text('kind').notNull(),
    /** What it works on, with all that makes it another job: `sources:1 text:sha256…`. */
    key: text('key').notNull(),
    state: text('state', { enum: ['running', 'done', 'failed'] }).notNull(),
    done: integer('done').notNull().default(0),
    total: integer('total'),
    /** Where it goes on; the job's own business. */
    cursor: text('cursor', { mode: 'json' }),
    error: text('error'),
    addedAt: addedAt(),
    changedAt: integer('changed_at').notNull().default(sql`(unixepoch() * 1000)`),
  },
  (table) => [unique('jobs_once').on(table.kind, table.key)],
);

/** What a job that is cut off needs to go on, where that is too much for its cursor. */
export const jobStates = sqliteTable(
  'job_states',
  {
    kind: text('kind').notNull(),
    key: text('key').notNull(),
    state: blob('state', { mode: 'buffer' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.key] })],
);

/** What a service does in the background at somebody's request (store/background-jobs.ts). */
export const backgroundJobs = sqliteTable(
  'background_jobs',
  {
    id: text('id').primaryKey(),
    kind: text('kind').notNull(),
    model: text('model').notNull(),
    parameters: text('parameters', { mode: 'json' }).notNull(),
    state: text('state', { enum: ['queued', 'running', 'done', 'failed', 'cancelled'] }).notNull(),
    done: integer('done').notNull().default(0),
    total: integer('total'),
    summary: text('summary', { mode: 'json' }),
    error: text('error', { mode: 'json' }),
    /** Somebody wants it to end. */
    cancel: integer('cancel', { mode: 'boolean' }).notNull().default(false),
    /** Which service runs it, in which process of which machine. */
    holder: text('holder'),
    process: integer('process'),
    host: text('host'),
    addedAt: integer('added_at').notNull(),
    startedAt: integer('started_at'),
    endedAt: integer('ended_at'),
    /** When whoever runs it last wrote. */
    changedAt: integer('changed_at').notNull(),
  },
  (table) => [index('background_jobs_by_state').on(table.state, table.addedAt)],
);
