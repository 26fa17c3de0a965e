CREATE TABLE `profile_vectors` (
	`profile` integer NOT NULL,
	`vector` integer NOT NULL,
	PRIMARY KEY(`profile`, `vector`),
	FOREIGN KEY (`profile`) REFERENCES `profiles`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`vector`) REFERENCES `vectors`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `profile_vectors_by_vector` ON `profile_vectors` (`vector`);--> statement-breakpoint
ALTER TABLE `vectors` ADD `deleted_at` integer;--> statement-breakpoint
ALTER TABLE `profiles` ADD `artifact` integer REFERENCES artifacts(id);
