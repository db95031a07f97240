-- From version 2 to version 3: the directory also holds the town's styles. Which kinds there are is checked by the reader alone.
CREATE TABLE hromada_directory_next (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
INSERT INTO hromada_directory_next SELECT kind, id, body FROM hromada_directory;
DROP TABLE hromada_directory;
ALTER TABLE hromada_directory_next RENAME TO hromada_directory;
UPDATE hromada_meta SET value = '3' WHERE key = 'schema_version';
