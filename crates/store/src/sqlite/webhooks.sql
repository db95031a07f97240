-- From version 4 to version 5: who is told of changes. The secret signs what is told, so it is kept as it is.
CREATE TABLE hromada_webhooks (
  id TEXT NOT NULL PRIMARY KEY,
  body TEXT NOT NULL,
  secret TEXT NOT NULL,
  -- How far it has been told, and what went wrong.
  state TEXT NOT NULL,
  -- The process that tells it, until when.
  holder TEXT,
  held_until TEXT
) WITHOUT ROWID;
UPDATE hromada_meta SET value = '5' WHERE key = 'schema_version';
