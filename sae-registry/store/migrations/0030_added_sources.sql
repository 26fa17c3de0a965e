CREATE TABLE `added_sources` (
	`id` integer PRIMARY KEY NOT NULL,
	`model` text NOT NULL,
	`name` text NOT NULL,
	`path` text NOT NULL,
	`origin` text NOT NULL,
	`added_at` integer DEFAULT (unixepoch() * 1000) NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `added_sources_by_name` ON `added_sources` (`model`,`name`);
