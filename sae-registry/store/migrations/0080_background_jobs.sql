CREATE TABLE `background_jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`model` text NOT NULL,
	`parameters` text NOT NULL,
	`state` text NOT NULL,
	`done` integer DEFAULT 0 NOT NULL,
	`total` integer,
	`summary` text,
	`error` text,
	`cancel` integer DEFAULT 0 NOT NULL,
	`holder` text,
	`process` integer,
	`host` text,
	`added_at` integer NOT NULL,
	`started_at` integer,
	`ended_at` integer,
	`changed_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `background_jobs_by_state` ON `background_jobs` (`state`, `added_at`);
