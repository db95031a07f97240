-- From version 2 to version 3: the directory also holds the town's styles. Which kinds there are is checked by the reader alone.
ALTER TABLE hromada_directory DROP CONSTRAINT hromada_directory_kind_check;
UPDATE hromada_meta SET value = '3' WHERE key = 'schema_version';
