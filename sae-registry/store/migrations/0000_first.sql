CREATE TABLE `artifacts` (
	`id` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`origin` text NOT NULL,
	`hash` text,
	`bytes` integer,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL
);
--> statement-breakpoint
CREATE INDEX `artifacts_by_hash` ON `artifacts` (`hash`);--> statement-breakpoint
CREATE TABLE `examples` (
	`source` integer NOT NULL,
	`feature` integer NOT NULL,
	`rank` integer NOT NULL,
	`tokens` text NOT NULL,
	`activations` blob,
	`peak` real NOT NULL,
	`artifact` integer,
	PRIMARY KEY(`source`, `feature`, `rank`),
	FOREIGN KEY (`source`) REFERENCES `sources`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`artifact`) REFERENCES `artifacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`key` text NOT NULL,
	`state` text NOT NULL,
	`done` integer DEFAULT 0 NOT NULL,
	`total` integer,
	`cursor` text,
	`error` text,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	`changed_at` integer DEFAULT (unixepoch() * 1000) NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_once` ON `jobs` (`kind`,`key`);--> statement-breakpoint
CREATE TABLE `label_embeddings` (
	`label` integer PRIMARY KEY NOT NULL,
	`embedder` text NOT NULL,
	`embedding` blob NOT NULL,
	FOREIGN KEY (`label`) REFERENCES `labels`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `label_scores` (
	`label` integer NOT NULL,
	`method` text NOT NULL,
	`author` text NOT NULL,
	`score` real NOT NULL,
	`judgements` integer,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	PRIMARY KEY(`label`, `method`, `author`),
	FOREIGN KEY (`label`) REFERENCES `labels`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `labels` (
	`id` integer PRIMARY KEY NOT NULL,
	`source` integer NOT NULL,
	`feature` integer NOT NULL,
	`text` text NOT NULL,
	`method` text NOT NULL,
	`author` text NOT NULL,
	`clarity` real,
	`artifact` integer,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	FOREIGN KEY (`source`) REFERENCES `sources`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`artifact`) REFERENCES `artifacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `labels_by_artifact` ON `labels` (`artifact`);--> statement-breakpoint
CREATE UNIQUE INDEX `labels_once` ON `labels` (`source`,`feature`,`method`,`author`,`text`);--> statement-breakpoint
CREATE TABLE `profile_directions` (
	`profile` integer NOT NULL,
	`position` integer NOT NULL,
	`direction` blob NOT NULL,
	PRIMARY KEY(`profile`, `position`),
	FOREIGN KEY (`profile`) REFERENCES `profiles`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `profiles` (
	`id` integer PRIMARY KEY NOT NULL,
	`model` text NOT NULL,
	`name` text NOT NULL,
	`version` integer NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`steering` text NOT NULL,
	`frozen` text NOT NULL,
	`fingerprint` text NOT NULL,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `profiles_by_name` ON `profiles` (`model`,`name`,`version`);--> statement-breakpoint
CREATE TABLE `sources` (
	`id` integer PRIMARY KEY NOT NULL,
	`model` text NOT NULL,
	`name` text NOT NULL,
	`hook_point` text NOT NULL,
	`hook_point_out` text,
	`layer` integer,
	`kind` text NOT NULL,
	`activation` text NOT NULL,
	`features` integer NOT NULL,
	`d_in` integer NOT NULL,
	`d_out` integer NOT NULL,
	`hash` text NOT NULL,
	`path` text,
	`artifact` integer,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	FOREIGN KEY (`artifact`) REFERENCES `artifacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sources_by_name` ON `sources` (`model`,`name`);--> statement-breakpoint
CREATE TABLE `statistics` (
	`source` integer NOT NULL,
	`feature` integer NOT NULL,
	`version` text NOT NULL,
	`density` real NOT NULL,
	`max` real NOT NULL,
	`p999` real NOT NULL,
	`mean` real NOT NULL,
	`histogram` text NOT NULL,
	`top_logits` text NOT NULL,
	`bottom_logits` text NOT NULL,
	`top_tokens` text NOT NULL,
	`artifact` integer,
	PRIMARY KEY(`source`, `feature`),
	FOREIGN KEY (`source`) REFERENCES `sources`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`artifact`) REFERENCES `artifacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `vector_directions` (
	`vector` integer NOT NULL,
	`hook_point` text NOT NULL,
	`direction` blob NOT NULL,
	PRIMARY KEY(`vector`, `hook_point`),
	FOREIGN KEY (`vector`) REFERENCES `vectors`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `vectors` (
	`id` integer PRIMARY KEY NOT NULL,
	`model` text NOT NULL,
	`name` text NOT NULL,
	`version` integer NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`method` text NOT NULL,
	`artifact` integer,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	FOREIGN KEY (`artifact`) REFERENCES `artifacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `vectors_by_name` ON `vectors` (`model`,`name`,`version`);