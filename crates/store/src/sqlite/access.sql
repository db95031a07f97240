-- From version 1 to version 2: who may see and do what.

-- People, units and the rules of collections, as JSON.
CREATE TABLE hromada_directory (
  kind TEXT NOT NULL CHECK (kind IN ('person', 'unit', 'access')),
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- What somebody shows to be taken for a person: sessions, tokens, links that are good once. Only hashes are kept.
CREATE TABLE hromada_keys (
  hash TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('session', 'token', 'link')),
  person TEXT NOT NULL,
  body TEXT NOT NULL,
  created TEXT NOT NULL,
  expires TEXT NOT NULL,
  seen TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX hromada_keys_person ON hromada_keys (person);

-- The audit log. Each hash covers its row and the hash before it.
CREATE TABLE hromada_audit (
  n INTEGER PRIMARY KEY NOT NULL,
  at TEXT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE TRIGGER hromada_audit_stays BEFORE UPDATE ON hromada_audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER hromada_audit_keeps BEFORE DELETE ON hromada_audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;

-- Version 1 knew no rules: whoever reached the server read everything, and goes on doing so until somebody decides otherwise.
INSERT INTO hromada_directory (kind, id, body) SELECT 'access', id, '{"class":"public"}' FROM hromada_collections;
INSERT INTO hromada_meta (key, value) VALUES ('directory', '0');
UPDATE hromada_meta SET value = '2' WHERE key = 'schema_version';
