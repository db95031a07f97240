-- From version 4 to version 5: who is told of changes. The secret signs what is told, so it is kept as it is.
CREATE TABLE hromada_webhooks (
  id text COLLATE "C" PRIMARY KEY,
  body text NOT NULL,
  secret text NOT NULL,
  -- How far it has been told, and what went wrong.
  state text NOT NULL,
  -- The process that tells it, until when.
  holder text,
  held_until text COLLATE "C"
);
COMMENT ON TABLE hromada_webhooks IS 'hromada: who is told of changes';
UPDATE hromada_meta SET value = '5' WHERE key = 'schema_version';
