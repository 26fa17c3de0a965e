CREATE TABLE `profile_holds` (
	`holder` text NOT NULL,
	`model` text NOT NULL,
	`profile` integer NOT NULL,
	`process` integer NOT NULL,
	`host` text NOT NULL,
	PRIMARY KEY(`holder`, `model`),
	FOREIGN KEY (`profile`) REFERENCES `profiles`(`id`) ON UPDATE no action ON DELETE cascade
);
