CREATE TABLE `job_states` (
	`kind` text NOT NULL,
	`key` text NOT NULL,
	`state` blob NOT NULL,
	PRIMARY KEY(`kind`, `key`)
);
