-- From version 3 to version 4: what the changes of one transaction have in common. The numbers of its changes follow one another.
CREATE TABLE hromada_transactions (
  first_seq INTEGER PRIMARY KEY NOT NULL,
  last_seq INTEGER NOT NULL,
  -- What was done, where it is more than single edits.
  kind TEXT,
  request TEXT,
  reason TEXT,
  -- Hashes of the key that a client gave its request, and of the request.
  once TEXT,
  fingerprint TEXT
);
CREATE UNIQUE INDEX hromada_transactions_once ON hromada_transactions (once) WHERE once IS NOT NULL;
-- The id that a feature had until a change, where the change ended it or gave it another: who has the old one finds the feature.
ALTER TABLE hromada_changes ADD COLUMN before_id TEXT;
CREATE INDEX hromada_changes_id ON hromada_changes (collection, before_id) WHERE before_id IS NOT NULL;
UPDATE hromada_meta SET value = '4' WHERE key = 'schema_version';
-- What parcels came of which: a split, a merge, another number.
CREATE TABLE hromada_lineage (
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  collection INTEGER NOT NULL,
  old_fid INTEGER NOT NULL,
  new_fid INTEGER NOT NULL,
  old_id TEXT NOT NULL,
  new_id TEXT NOT NULL
);
CREATE INDEX hromada_lineage_old ON hromada_lineage (collection, old_fid);
CREATE INDEX hromada_lineage_new ON hromada_lineage (collection, new_fid);
