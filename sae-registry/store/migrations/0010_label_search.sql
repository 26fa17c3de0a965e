CREATE VIRTUAL TABLE `labels_text` USING fts5(`text`, content='labels', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2', detail='none', columnsize=0);
--> statement-breakpoint
INSERT INTO `labels_text`(`labels_text`) VALUES ('rebuild');
--> statement-breakpoint
CREATE VIRTUAL TABLE `labels_words` USING fts5vocab('labels_text', 'row');
--> statement-breakpoint
CREATE TABLE `label_changes` (
	`id` integer PRIMARY KEY CHECK (`id` = 1),
	`rewritten` integer NOT NULL DEFAULT 0,
	`statistics` integer NOT NULL DEFAULT 0
);
--> statement-breakpoint
INSERT INTO `label_changes`(`id`) VALUES (1);
--> statement-breakpoint
CREATE TRIGGER `labels_text_added` AFTER INSERT ON `labels` BEGIN
	INSERT INTO `labels_text`(rowid, `text`) VALUES (new.`id`, new.`text`);
END;
--> statement-breakpoint
CREATE TRIGGER `labels_text_removed` AFTER DELETE ON `labels` BEGIN
	INSERT INTO `labels_text`(`labels_text`, rowid, `text`) VALUES ('delete', old.`id`, old.`text`);
	UPDATE `label_changes` SET `rewritten` = `rewritten` + 1;
END;
--> statement-breakpoint
CREATE TRIGGER `labels_text_changed` AFTER UPDATE OF `id`, `source`, `feature`, `text`, `method`, `clarity` ON `labels` BEGIN
	INSERT INTO `labels_text`(`labels_text`, rowid, `text`) VALUES ('delete', old.`id`, old.`text`);
	INSERT INTO `labels_text`(rowid, `text`) VALUES (new.`id`, new.`text`);
	DELETE FROM `label_embeddings` WHERE `label` IN (old.`id`, new.`id`) AND old.`text` <> new.`text`;
	UPDATE `label_changes` SET `rewritten` = `rewritten` + 1;
END;
--> statement-breakpoint
CREATE TRIGGER `label_embeddings_removed` AFTER DELETE ON `label_embeddings` BEGIN
	UPDATE `label_changes` SET `rewritten` = `rewritten` + 1;
END;
--> statement-breakpoint
CREATE TRIGGER `label_embeddings_added` AFTER INSERT ON `label_embeddings` WHEN new.`label` < (SELECT max(`label`) FROM `label_embeddings`) BEGIN
	UPDATE `label_changes` SET `rewritten` = `rewritten` + 1;
END;
--> statement-breakpoint
CREATE TRIGGER `statistics_added` AFTER INSERT ON `statistics` BEGIN
	UPDATE `label_changes` SET `statistics` = `statistics` + 1;
END;
--> statement-breakpoint
CREATE TRIGGER `statistics_changed` AFTER UPDATE OF `density` ON `statistics` BEGIN
	UPDATE `label_changes` SET `statistics` = `statistics` + 1;
END;
--> statement-breakpoint
CREATE TRIGGER `statistics_removed` AFTER DELETE ON `statistics` BEGIN
	UPDATE `label_changes` SET `statistics` = `statistics` + 1;
END;
