ALTER TABLE `label_scores` ADD `f1` real;--> statement-breakpoint
ALTER TABLE `label_scores` ADD `counts` text;--> statement-breakpoint
ALTER TABLE `label_scores` ADD `artifact` integer REFERENCES artifacts(id);
