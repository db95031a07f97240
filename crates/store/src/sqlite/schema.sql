-- The store's own tables, version 1.
-- Facts about the store itself: schema_version, epoch.
CREATE TABLE hromada_meta (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
-- The registry. It is listed as an "attributes" table, so other programs can read it and
-- do not list the store's inner tables beside the data.
CREATE TABLE hromada_collections (
  n INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  definition TEXT NOT NULL
);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description)
  VALUES ('hromada_collections', 'attributes', 'hromada_collections', 'Registry of collections');
-- The change log: one row for each feature that a write touched, with the state before.
CREATE TABLE hromada_changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  at TEXT NOT NULL,
  actor TEXT NOT NULL,
  collection INTEGER NOT NULL REFERENCES hromada_collections(n),
  fid INTEGER NOT NULL,
  operation TEXT NOT NULL CHECK (operation IN ('create', 'replace', 'delete')),
  before_geometry BLOB,
  before_properties TEXT
);
CREATE INDEX hromada_changes_feature ON hromada_changes (collection, fid, seq);
