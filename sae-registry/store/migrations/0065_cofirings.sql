CREATE TABLE `cofirings` (
	`source` integer NOT NULL,
	`feature` integer NOT NULL,
	`version` text NOT NULL,
	`tokens` integer NOT NULL,
	`fired` integer NOT NULL,
	`others` blob NOT NULL,
	PRIMARY KEY(`source`, `feature`),
	FOREIGN KEY (`source`) REFERENCES `sources`(`id`) ON UPDATE no action ON DELETE cascade
);
